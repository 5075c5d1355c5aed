// Makes a component of one JavaScript module:  node build.mjs TOOLS SOURCE WIT WORLD OUT
//
// TOOLS is the folder where tools/setup put node_modules: it is outside the project, so the module
// is loaded by its path there. WIT is a folder with every package in it (tools/guest-build).
import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { argv, exit } from 'node:process';
import { pathToFileURL } from 'node:url';

const [tools, source, wit, world, out] = argv.slice(2);
if (!out) {
  console.error('usage: node build.mjs TOOLS SOURCE WIT WORLD OUT');
  exit(2);
}

const home = join(resolve(tools), 'node_modules/@bytecodealliance/componentize-js');
const { exports } = JSON.parse(await readFile(join(home, 'package.json'), 'utf8'));
const { componentize } = await import(pathToFileURL(join(home, exports.import)).href);

const { component } = await componentize({
  sourcePath: resolve(source),
  witPath: resolve(wit),
  worldName: world,
});
await writeFile(out, component);
