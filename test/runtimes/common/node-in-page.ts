// In a page, what the common tests take from node:fs and node:vm.

/** A file that the server has. The tests read theirs when they are loaded, at once. */
export function readFileSync(url: URL): string {
  const request = new XMLHttpRequest();
  request.open("GET", url, false);
  request.send();
  if (request.status !== 200) throw new Error(`${url}: ${request.status}`);
  return request.responseText;
}

/** Another realm: that of an empty frame. */
export function runInNewContext(code: string, names: Record<string, unknown> = {}): unknown {
  const frame = document.body.appendChild(document.createElement("iframe"));
  const realm = frame.contentWindow as Window & typeof globalThis;
  return Object.assign(realm, names).eval(code);
}
