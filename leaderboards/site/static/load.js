// Data and libraries come as scripts, when they are needed: a page opened from a disk may not fetch.
"use strict";

const taken = {};
const coming = {};

// What every file in data/ calls.
function take(name, data) {
  taken[name] = data;
}

function script(address) {
  coming[address] ??= new Promise((resolve, reject) => {
    const element = document.createElement("script");
    element.src = address;
    element.onload = resolve;
    element.onerror = () => {
      delete coming[address]; // to be tried again
      reject(new Error(`${address} cannot be loaded. If the site was written anew, load this page again.`));
    };
    document.head.append(element);
  });
  return coming[address];
}

async function data(name) {
  if (!(name in taken)) await script(`data/${name}.js`);
  return taken[name];
}

// An element with text and attributes; nothing that an entry says is ever read as HTML.
function make(tag, text = "", attributes = {}) {
  const element = document.createElement(tag);
  element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}
