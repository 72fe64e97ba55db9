/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/scaffold.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/own.h"

#include <ctype.h>
#include <string.h>

static const char spec[] =
	"name: %s\n"
	"author: your name\n"
	"category: web\n"
	"description: |\n"
	"  What is behind the door? Knock and see.\n"
	"value: 100\n"
	"type: standard\n"
	"tags: [web]\n"
	"protocol: http\n"
	"connection_info: ${url}\n"
	"ttl: 1h\n"
	"\n"
	"questions:\n"
	"  - id: flag\n"
	"    text: What is behind the door?\n"
	"    answer: flag{...} # \"...\" is random, and each instance has its own\n"
	"\n"
	"hints:\n"
	"  - content: Doors listen to what you say, not only to where you go.\n"
	"    cost: 10\n";

static const char compose[] = "services:\n"
			      "  door:\n"
			      "    build: .\n"
			      "    environment:\n"
			      "      FLAG: ${FLAG} # the answer to the question \"flag\"\n"
			      "    ports: [\"8080\"]\n"
			      "    init: true\n"
			      "    read_only: true\n"
			      "    mem_limit: 96m\n";

static const char dockerfile[] = "FROM debian:bookworm-slim\n"
				 "RUN apt-get update \\\n"
				 " && apt-get install -y --no-install-recommends python3 \\\n"
				 " && rm -rf /var/lib/apt/lists/*\n"
				 "COPY door.py /srv/\n"
				 "USER nobody\n"
				 "CMD [\"python3\", \"-u\", \"/srv/door.py\"]\n";

static const char program[] =
	"\"\"\"A door that opens to whoever says the word.\"\"\"\n"
	"\n"
	"import os\n"
	"from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer\n"
	"\n"
	"\n"
	"class Door(BaseHTTPRequestHandler):\n"
	"    def do_GET(self):\n"
	"        said = self.headers.get(\"X-Word\") == \"please\"\n"
	"        text = os.environ[\"FLAG\"] if said else \"The door is shut. Say the word.\"\n"
	"        self.send_response(200)\n"
	"        self.send_header(\"Content-Type\", \"text/plain\")\n"
	"        self.end_headers()\n"
	"        self.wfile.write(text.encode() + b\"\\n\")\n"
	"\n"
	"\n"
	"ThreadingHTTPServer((\"\", 8080), Door).serve_forever()\n";

static const char solver[] =
	"#!/usr/bin/env python3\n"
	"\"\"\"Says the word: solve URL. Prints the flag.\"\"\"\n"
	"\n"
	"import sys\n"
	"from urllib.request import Request, urlopen\n"
	"\n"
	"endpoint = sys.argv[1]\n"
	"url = endpoint if \"://\" in endpoint else f\"http://{endpoint}\"\n"
	"with urlopen(Request(url, headers={\"X-Word\": \"please\"}), timeout=20) as answer:\n"
	"    print(answer.read().decode().strip())\n";

static const struct {
	const char *name;
	const char *text;
	mode_t mode;
} files[] = {
	{ "compose.yml", compose, 0644 },     { "Dockerfile", dockerfile, 0644 },
	{ "door.py", program, 0644 },         { "solve", solver, 0755 },
	{ ".dockerignore", "solve\n", 0644 },
};

/* "my-first_one" is called "My first one". Only what YAML takes without quotes is kept. */
static char *title(const char *dir)
{
	size_t len = strlen(dir);
	struct buf b = BUF_INIT;
	const char *base;

	while (len > 1 && dir[len - 1] == '/')
		len--;
	base = memrchr(dir, '/', len);
	base = base ? base + 1 : dir;
	for (; base < dir + len; base++) {
		bool first = b.len == 0;

		if (isalnum((unsigned char)*base))
			buf_putc(&b, first ? (char)toupper((unsigned char)*base) : *base);
		else if (!first && b.data[b.len - 1] != ' ')
			buf_putc(&b, ' ');
	}
	while (b.len && b.data[b.len - 1] == ' ')
		b.data[--b.len] = '\0';
	if (!b.len || isdigit((unsigned char)b.data[0])) {
		AUTO(char *, freep) rest = buf_take(&b);

		buf_printf(&b, "Challenge %s", rest ? rest : "");
	}
	return buf_take(&b);
}

static int write_into(const char *dir, const char *name, const char *text, mode_t mode,
		      struct err *e)
{
	AUTO(char *, freep) path = strf("%s/%s", dir, name);

	if (!path)
		return err_memory(e);
	return file_write(path, text, strlen(text), mode, e);
}

int scaffold_write(const char *dir, struct err *e)
{
	AUTO(char *, freep) name = title(dir);
	AUTO(char *, freep) text = name ? strf(spec, name) : NULL;
	int r;

	if (!text)
		return err_memory(e);
	if (file_exists(dir))
		return err_set(e, ERR_CONFLICT, "'%s' is there already", dir);
	r = dir_make(dir, 0755, e);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(files); i++)
		r = write_into(dir, files[i].name, files[i].text, files[i].mode, e);
	return r == 0 ? write_into(dir, "challenge.yml", text, 0644, e) : r;
}
