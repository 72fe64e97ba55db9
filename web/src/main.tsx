// All styles are one file: a stylesheet that comes with a later part would come without waiting.
import "./style.css";
import "./admin/admin.css";
import "@xterm/xterm/css/xterm.css";
import { render } from "preact";
import { App } from "./app";

sessionStorage.removeItem("ctfy.reloads");
render(<App />, document.getElementById("app")!);
