/* Pack files into one zip without compression (APPNOTE 6.3.3, stored entries): images are compressed already. */
(() => {
  "use strict";
  const MAX_ENTRIES = 65535;
  const MAX_BYTES = 0xffffffff;
  const UTF8_NAMES = 0x0800;

  const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
    let value = byte;
    for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
    return value;
  });

  function crc32(bytes) {
    let crc = 0xffffffff;
    for (let i = 0; i < bytes.length; i += 1) crc = TABLE[(crc ^ bytes[i]) & 0xff] ^ (crc >>> 8);
    return (crc ^ 0xffffffff) >>> 0;
  }

  /** Little-endian record of [value, number of bytes] pairs. */
  function record(...fields) {
    const view = new DataView(new ArrayBuffer(fields.reduce((sum, [, size]) => sum + size, 0)));
    let at = 0;
    for (const [value, size] of fields) {
      if (size === 2) view.setUint16(at, value, true);
      else view.setUint32(at, value, true);
      at += size;
    }
    return view.buffer;
  }

  /** A Blob with all files under their relative paths; throws an Error with a sentence if they do not fit. */
  window.reid.zipFiles = async (files) => {
    const total = files.reduce((sum, file) => sum + file.size, 0);
    if (files.length > MAX_ENTRIES || total > 0.9 * MAX_BYTES) {
      throw new Error("These are more than 65,535 files or 3.8 GB. Pack them as a zip yourself, or give a path on the server.");
    }
    const parts = [];
    const directory = [];
    let offset = 0;
    for (const file of files) {
      const name = new TextEncoder().encode(file.webkitRelativePath || file.name);
      const crc = crc32(new Uint8Array(await file.arrayBuffer()));
      const common = [[20, 2], [UTF8_NAMES, 2], [0, 2], [0, 2], [0x21, 2], [crc, 4], [file.size, 4], [file.size, 4], [name.length, 2], [0, 2]];
      parts.push(record([0x04034b50, 4], ...common), name, file);
      directory.push(record([0x02014b50, 4], [20, 2], ...common, [0, 2], [0, 2], [0, 2], [0, 4], [offset, 4]), name);
      offset += 30 + name.length + file.size;
    }
    const size = directory.reduce((sum, part) => sum + part.byteLength, 0);
    const end = record([0x06054b50, 4], [0, 2], [0, 2], [files.length, 2], [files.length, 2], [size, 4], [offset, 4], [0, 2]);
    return new Blob([...parts, ...directory, end], { type: "application/zip" });
  };
})();
