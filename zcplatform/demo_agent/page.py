"""The demo agent's one page."""

from html import escape

from zcplatform.demo_agent import VERSION
from zcplatform.demo_agent.state import DemoState
from zcplatform.demo_agent.wire import Response

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Demo agent</title>
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem;color:#222;background:#fff}}
textarea,input,button{{font:inherit;width:100%;box-sizing:border-box;margin:.3rem 0;padding:.5rem}}pre{{white-space:pre-wrap}}
@media(prefers-color-scheme:dark){{body{{color:#ddd;background:#181818}}}}</style></head>
<body><h1>Demo agent</h1>
<p>This is {version}, a stand-in that speaks the contract of a ZeroClaw agent. Its model is {model}.</p>
<label for="code">Pairing code</label><input id="code" autocomplete="off">
<label for="text">Message</label><textarea id="text" rows="3"></textarea>
<button id="send">Send</button><pre id="out" role="status"></pre>
<script>
let token = "";
const out = document.getElementById("out");
document.getElementById("send").onclick = async () => {{
  const code = document.getElementById("code").value;
  if (code) {{
    const paired = await (await fetch("/pair", {{method: "POST", headers: {{"X-Pairing-Code": code}}}})).json();
    if (paired.token) {{ token = paired.token; document.getElementById("code").value = ""; }}
    else {{ out.textContent = paired.error; return; }}
  }}
  const body = JSON.stringify({{message: document.getElementById("text").value}});
  const headers = {{"Content-Type": "application/json", "Authorization": "Bearer " + token}};
  const said = await (await fetch("/webhook", {{method: "POST", headers, body}})).json();
  out.textContent = said.response || said.error;
}};
</script></body></html>
"""


def show(state: DemoState) -> Response:
    provider = state.config.provider_of(state.config.default_agent())
    model = f"{provider.name} {provider.model}" if provider else "not configured"
    return Response(200, _PAGE.format(version=VERSION, model=escape(model)).encode(), "text/html; charset=utf-8")
