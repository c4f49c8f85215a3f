/**
 * The toolchain's wasm_exec.js, cut down to what the module has a use for: a page waits for each byte of it.
 */

// What has no use: stand-ins for Node's files, processes and paths; the command line and the environment; checks that the
// loader makes itself; a warning about what the next line mends; and what only tests of Go call.
const CUTS = [
  /^\tif \(!globalThis\.\w+\) \{\n[\s\S]*?^\t\}\n/gm,
  /^\t{3}this\.(?:argv|env) = .*\n/gm,
  /^\t{3}this\.exit = [\s\S]*?^\t{3}\};\n/m,
  /^\t{3}if \(!\(instance instanceof [\s\S]*?^\t{3}\}\n/m,
  /^\t+console\.warn\(.*\n/m,
  /^\t{3}\/\/ Pass command line arguments [\s\S]*?(?=^\t{3}this\._inst\.exports\.run\()/m,
  /^\t{4}_gotest: \{\n[\s\S]*?^\t{4}\},\n/m,
];
const IMPORT = /^\t{5}"([\w./]+)": .*=> \{\n[\s\S]*?^\t{5}\},\n/gm;

/**
 * @param {string} source of wasm_exec.js
 * @param {WebAssembly.Module} module all of it
 * @returns {string} a module that exports a function of the object that wasm_exec.js takes for the global one. It returns the
 *   class Go.
 * @throws {Error} if the source is laid out in another way than that of Go 1.26
 */
export function cutDown(source, module) {
  let text = source;
  for (const cut of CUTS) {
    if (text.search(cut) < 0) throw new Error(`wasm_exec.js has nothing like ${cut}`);
    text = text.replace(cut, '');
  }
  const imports = WebAssembly.Module.imports(module).map(({ name }) => name);
  const missing = new Set(imports);
  text = text.replace(IMPORT, (code, name) => {
    missing.delete(name);
    return imports.includes(name) ? code : '';
  });
  if (missing.size > 0) throw new Error(`wasm_exec.js lacks ${[...missing].join(', ')}`);
  return `export default function (globalThis) {
    const argc = 0;
    const argv = 4096; // zeros
    let line = '';
    const fs = {
      writeSync(_, bytes) {
        line += decoder.decode(bytes);
        const end = line.lastIndexOf('\\n');
        if (end < 0) return;
        console.log(line.slice(0, end));
        line = line.slice(end + 1);
      },
    };
    ${text.replace('(() => {', '').replace(/\}\)\(\);\s*$/, '')}
    return globalThis.Go;
  }`;
}
