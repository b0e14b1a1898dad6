/* One picture from the webcam. The stream is stopped as soon as the dialog closes. */
(() => {
  "use strict";
  const { find, icon, pushKeys } = window.reid;

  window.reid.webcam = (element, { onPhoto, onProblem }) => {
    const dialog = find(element, "camera");
    const video = find(element, "camera-video");
    let stream = null;
    let popKeys = () => {};

    find(element, "camera-close").append(icon("cross"));
    find(element, "camera-close").addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => {
      stream?.getTracks().forEach((track) => track.stop());
      video.srcObject = stream = null;
      popKeys();
    });

    find(element, "camera-take").addEventListener("click", () => {
      const canvas = document.createElement("canvas");
      canvas.width = video.videoWidth;
      canvas.height = video.videoHeight;
      canvas.getContext("2d").drawImage(video, 0, 0);
      dialog.close();
      canvas.toBlob((photo) => onPhoto(photo), "image/jpeg", 0.95);
    });

    return {
      async open() {
        onProblem("");
        try {
          if (!navigator.mediaDevices) throw new DOMException("no camera", "NotFoundError");
          stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1920 } }, audio: false });
        } catch (failure) {
          onProblem(
            failure.name === "NotAllowedError"
              ? "The browser was not allowed to use the webcam. Allow it in the address bar, then try again."
              : "No webcam can be used here. It needs a camera, and https or localhost in the address.",
          );
          return;
        }
        video.srcObject = stream;
        dialog.showModal();
        popKeys = pushKeys({});
      },
    };
  };
})();
