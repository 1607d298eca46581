const form = document.querySelector("#login");
const status = document.querySelector("#status");
const list = document.querySelector("#users");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const session = await fetch("/api/v1/session", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(Object.fromEntries(new FormData(form))),
  });
  const answer = await session.json();
  if (!session.ok) {
    status.textContent = answer.error;
    return;
  }
  status.textContent = `Hello, ${answer.name}`;
  const users = await fetch("/api/v1/users", { headers: { Authorization: `Bearer ${answer.token}` } });
  list.replaceChildren(
    ...(await users.json()).map((user) => {
      const item = document.createElement("li");
      item.textContent = `${user.name} (${user.group})`;
      return item;
    }),
  );
});
