// Requests to the studio's server; all addresses are below the page's own, which holds the secret.

/** An error that the server has put into words for people. */
export class Refusal extends Error {}

/** Fetch an answer; throws a Refusal with the server's words, or one that says it is gone. */
export async function ask(address, options = {}) {
  let answer;
  try {
    answer = await fetch(address, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal("The studio has ended: start it again in the terminal");
  }
  if (answer.ok) return answer;
  const told = await answer.json().catch(() => ({}));
  throw new Refusal(told.error ?? `The studio has answered ${answer.status}`);
}

export const json = async (address, options) => (await ask(address, options)).json();
export const blob = async (address, options) => (await ask(address, options)).blob();

/** Send an object, and return what comes back. */
export const post = (address, fields) => ask(address, { method: "POST", body: JSON.stringify(fields) });

/** Upload a file to a place of the server's; fetch can't tell how far it is. */
export function upload(file, progressed, place = "dropped") {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("PUT", `${place}/${encodeURIComponent(file.name)}`);
    request.responseType = "json";
    request.upload.onprogress = (event) => progressed(event.loaded / event.total);
    request.onload = () => (request.status === 201 ? resolve(request.response) : reject(new Refusal(request.response?.error ?? `${file.name} was refused`)));
    request.onerror = () => reject(new Refusal(`${file.name} did not arrive`));
    request.send(file);
  });
}
