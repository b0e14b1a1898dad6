"""What each page does: plain values in and out, no Gradio."""
