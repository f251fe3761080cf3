// Completes the links that `bootstrap`, `login-link` and invitations give. The token is read from the fragment, which browsers send to nobody,
// and is used only when a button is pressed: programs that look at links in mail do not use it up. Text is set as text, never as HTML.
"use strict";

const page = document.body.dataset.page;
const token = new URLSearchParams(location.hash.slice(1)).get(page === "login" ? "link" : "token");
const element = (id) => document.getElementById(id);

function show(...ids) {
  for (const section of document.querySelectorAll("section")) section.hidden = !ids.includes(section.id);
}

function say(text, kind = "note") {
  element("message").textContent = text;
  element("message").dataset.kind = kind;
}

/** The JSON of a successful response; throws an Error with the platform's own words otherwise. */
async function request(method, path, body) {
  const options = { method, headers: {}, cache: "no-store" };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Error("The platform cannot be reached. Check your connection and try again.");
  }
  const answer = response.status === 204 ? null : await response.json().catch(() => ({}));
  if (response.ok) return answer;
  const error = new Error(answer.detail ? `${answer.detail}.` : `The platform answered ${response.status}. Try again in a moment.`);
  error.code = answer.code;
  error.status = response.status;
  throw error;
}

/** Runs an action of a button or form: one at a time, with its error shown. */
function act(target, event, action) {
  target.addEventListener(event, async (happened) => {
    happened.preventDefault();
    const buttons = target.querySelectorAll ? [...target.querySelectorAll("button")] : [];
    if (target.tagName === "BUTTON") buttons.push(target);
    for (const button of buttons) button.disabled = true;
    say("");
    try {
      await action();
    } catch (error) {
      say(error.message, "error");
    } finally {
      for (const button of buttons) button.disabled = false;
    }
  });
}

function commands(email, tenant) {
  const texts = {
    "login-link": `zcplatform login ${location.origin} --link`,
    login: `zcplatform login ${location.origin} --email ${email || "ADDRESS"}`,
    whoami: "zcplatform whoami",
    show: `zcplatform tenants show ${tenant || "TENANT"}`,
  };
  for (const code of document.querySelectorAll("[data-command]")) code.textContent = texts[code.dataset.command];
}

/** The signed-in person's address, or null. */
async function signedIn() {
  try {
    return (await request("GET", "/api/me")).name;
  } catch (error) {
    if (error.status === 401) return null;
    throw error;
  }
}

function forgetToken() {
  history.replaceState(null, "", location.pathname);
}

async function welcome(email) {
  element("who").textContent = email;
  commands(email);
  show(page === "login" ? "done" : "accept");
}

async function askToSignIn() {
  show("sign-in");
  element("email-form").hidden = false;
  element("code-form").hidden = true;
  const methods = await request("GET", "/api/auth/methods");
  if (!methods.mail) say("This installation sends no mail. Ask the operator for a sign-in link.", "error");
}

if (element("use-link")) {
  act(element("use-link"), "click", async () => {
    try {
      const user = await request("POST", "/api/auth/link", { token });
      forgetToken();
      await welcome(user.email);
    } catch (error) {
      if (error.code === "link.rejected") {
        forgetToken();
        await askToSignIn();
        throw new Error("This link was used already or has expired. Ask the operator for a new one, or sign in with your e-mail address.");
      }
      throw error;
    }
  });
}

if (element("use-invitation")) {
  act(element("use-invitation"), "click", async () => {
    const member = await request("POST", "/api/invitations/accept", { token });
    const tenant = await request("GET", `/api/tenants/${encodeURIComponent(member.tenant_id)}`);
    forgetToken();
    element("role").textContent = member.role;
    element("tenant").textContent = tenant.slug;
    commands(element("who").textContent, tenant.slug);
    show("done");
  });
}

act(element("email-form"), "submit", async () => {
  await request("POST", "/api/auth/otp/request", { email: element("email").value });
  element("email-form").hidden = true;
  element("code-form").hidden = false;
  element("code").focus();
  say("If this address may sign in here, a code is on its way to it. It works for 10 minutes.");
});

act(element("code-form"), "submit", async () => {
  const user = await request("POST", "/api/auth/otp/verify", { code: element("code").value });
  await welcome(user.email);
});

act(element("sign-out"), "click", async () => {
  await request("POST", "/api/auth/logout");
  await askToSignIn();
});

async function begin() {
  commands();
  try {
    if (page === "invitation" && !token) {
      show();
      say("This address has no invitation in it. Open the whole link from the mail.", "error");
    } else if (page === "login" && token) {
      show("link");
    } else {
      const email = await signedIn();
      await (email ? welcome(email) : askToSignIn());
    }
  } catch (error) {
    say(error.message, "error");
  }
  document.body.dataset.ready = "yes";
}

begin();
