"use strict";
// Getting in with a password and an authenticator app, and what support sees.
const { assert, base, enter, send, sleep, totp } = require("./world.cjs");

// An authenticator app: gives each code once, as the server takes each once.
class App {
  constructor(secret) {
    this.secret = secret;
    this.last = 0;
  }

  async code() {
    for (;;) {
      const now = Math.floor(Date.now() / 30_000);
      const step = Math.max(now, this.last + 1); // with half a minute of tolerance at least
      if (step <= now + 1) {
        this.last = step;
        return totp(this.secret, step - now);
      }
      await sleep(500);
    }
  }
}

// enrol follows a link to where one chooses a password.
async function enrol(page, link, name) {
  await page.goto(link);
  await page.getByRole("heading", { name: "Choose how you sign in" }).waitFor();
  const app = new App(await page.getByTestId("totp-secret").innerText());
  const fill = async (again, code) => {
    await page.getByLabel("Name").fill(name);
    await page.getByLabel("Password", { exact: true }).fill("correct horse battery");
    await page.getByLabel("The password again").fill(again);
    await page.getByLabel("The code that the app shows").fill(code ?? await app.code());
    await page.getByRole("button", { name: "Sign in" }).click();
  };
  return { app, fill };
}

async function signIn(page, name, password, code) {
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Password").fill(password);
  await page.getByLabel("Code of your authenticator app").fill(code);
  await page.getByRole("button", { name: "Sign in" }).click();
}

// passwords: a link leads to a password and an app, mistakes come back on the
// form, and the cookie is as strict as browsers know.
async function passwords(world, { link }) {
  const page = await world.open();
  const { app, fill } = await enrol(page, link, "ann");
  await fill("another horse battery", "000000"); // a code that is taken is gone
  await page.getByText("The two passwords differ.").first().waitFor();
  assert.equal(await page.getByLabel("Name").inputValue(), "ann", "what was typed is gone");
  assert.equal(await page.getByLabel("The password again").getAttribute("aria-invalid"), "true");
  await fill("correct horse battery");
  await page.getByText("Welcome.").waitFor();

  const cookie = (await page.context().cookies()).find(c => c.name.endsWith("countersign-console"));
  assert.deepEqual(
    { name: cookie.name, secure: cookie.secure, httpOnly: cookie.httpOnly, sameSite: cookie.sameSite, path: cookie.path, expires: cookie.expires },
    { name: "__Host-countersign-console", secure: true, httpOnly: true, sameSite: "Strict", path: "/", expires: -1 },
  );

  await page.getByTestId("account-menu").locator("summary").click();
  await page.getByRole("button", { name: "Sign out" }).click();
  await signIn(page, "ann", "wrong horse battery", await app.code());
  await page.getByText("The name, the password or the code is wrong.").first().waitFor();
  assert.equal(await page.getByLabel("Name").inputValue(), "ann");
  assert.equal(await page.getByLabel("Password").inputValue(), "", "a password came back");
  await signIn(page, "ann", "correct horse battery", await app.code());
  await page.getByRole("navigation", { name: "Pages" }).waitFor();
  return { state: await page.context().storageState() };
}

// trace: support sees numbers masked; each unmasking is in the audit list with
// who did it, before the number shows.
async function trace(world, { owner, support, server, key }) {
  const boss = await world.open();
  const mine = await enrol(boss, owner, "olga");
  await mine.fill("correct horse battery");
  await boss.getByRole("navigation", { name: "Pages" }).waitFor();
  const entries = async () => {
    await boss.goto(base(server) + "/audit");
    return boss.getByTestId("audit-entry").filter({ hasText: "unmask" });
  };

  const page = await world.open();
  const { fill } = await enrol(page, support, "sam");
  await fill("correct horse battery");
  await page.getByRole("navigation", { name: "Pages" }).waitFor();
  const to = "+4915112340800";
  const id = await send({ server, key }, to);
  await page.locator(`[data-otp="${id}"]`).waitFor();
  assert.ok(!(await page.content()).includes(to.slice(1)), "support is shown a number");
  assert.equal(await (await entries()).count(), 0);

  const phone = page.getByTestId("phone").filter({ has: page.locator(`[data-otp="${id}"]`) });
  await phone.getByRole("button", { name: "Show" }).click();
  await phone.getByText(to).waitFor();
  const one = await entries();
  assert.equal(await one.count(), 1, "an unmasking left no trace, or two");
  await one.filter({ hasText: "console sam" }).waitFor();
  assert.ok(!(await boss.locator("main").innerText()).includes(to.slice(1)), "the audit list holds the number");

  // By hand, without the page's script: it leaves the same trace.
  await page.reload();
  const form = page.locator("form[action$='/unmask']").first();
  const fields = { csrf: await form.locator("[name=csrf]").inputValue(), ref: await form.locator("[name=ref]").inputValue() };
  const answer = await page.request.post(base(server) + "/unmask", { form: fields });
  assert.ok((await answer.text()).includes(to.slice(1)), `unmask: ${answer.status()}`);
  assert.equal(await (await entries()).count(), 2, "a request by hand left no trace");
  // Not without the form's token, and not with another's reference.
  assert.equal((await page.request.post(base(server) + "/unmask", { form: { ref: fields.ref } })).status(), 403);
  const others = await boss.locator("form [name=csrf]").first().inputValue();
  assert.equal((await boss.request.post(base(server) + "/unmask", { form: { csrf: others, ref: fields.ref } })).status(), 404);
  assert.equal(await (await entries()).count(), 2);

  // Support changes nothing, whatever it posts.
  const refused = await page.request.post(base(server) + "/phones", { form: { csrf: fields.csrf, to, via: "sms" } });
  assert.equal(refused.status(), 403);
  await boss.goto(base(server) + "/audit/proof");
  await boss.getByTestId("proof").filter({ hasText: "Verified" }).waitFor();
}

module.exports = { passwords, trace };
