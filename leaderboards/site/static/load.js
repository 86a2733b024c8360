// Load data and libraries as scripts on demand: a page opened from a disk must not fetch files.
"use strict";

const taken = {};
const pending = {};

// Called by every file in data/.
function take(name, data) {
  taken[name] = data;
}

function script(address) {
  pending[address] ??= new Promise((resolve, reject) => {
    const element = document.createElement("script");
    element.src = address;
    element.onload = resolve;
    element.onerror = () => {
      delete pending[address]; // so that it can be tried again
      reject(new Error(`${address} cannot be loaded. If the site has been updated, reload this page.`));
    };
    document.head.append(element);
  });
  return pending[address];
}

async function data(name) {
  if (!(name in taken)) await script(`data/${name}.js`);
  return taken[name];
}

// Return an element with text and attributes. Texts of entries are never parsed as HTML.
function make(tag, text = "", attributes = {}) {
  const element = document.createElement(tag);
  element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}
