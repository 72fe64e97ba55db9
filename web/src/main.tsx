// SPDX-License-Identifier: Apache-2.0
// All styles are one file: a stylesheet that comes with a later part would come without waiting.
import "./style.css";
import "./admin/admin.css";
import "uplot/dist/uPlot.min.css";
import "@xterm/xterm/css/xterm.css";
import { render } from "preact";
import { App } from "./app";
import { listen } from "./events";

sessionStorage.removeItem("ctfy.reloads");
listen();
render(<App />, document.getElementById("app")!);
