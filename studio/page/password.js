// Asks for the password; the answer has the page's address, and sets the session's cookie.
const error = document.getElementById("error");
const button = document.getElementById("enter");

document.getElementById("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  error.textContent = "";
  button.disabled = true;
  const password = document.getElementById("password").value;
  try {
    const answer = await fetch("/password", { method: "POST", body: JSON.stringify({ password }) });
    const told = await answer.json();
    if (told.root) location.replace(told.root);
    else error.textContent = told.error;
  } catch {
    error.textContent = "The studio has ended: start it again in the terminal";
  }
  button.disabled = false;
});
