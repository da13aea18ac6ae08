/* SPDX-License-Identifier: MIT */
/* hresv.conf of any bytes: every line is told or taken, and a rule's match ends. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/facts/conf.h"
#include "core/facts/conf_file.h"

static void check(bool right)
{
	if (!right)
		abort();
}

static void say(const struct conf_remark *remark)
{
	check(remark->what && remark->used_instead);
	check(!remark->file || (remark->line > 0 && remark->column > 0));
}

static void walk(const char *text, size_t bytes)
{
	struct conf_cursor cursor = { .rest = { text, bytes } };
	struct conf_line line;
	unsigned last = 0;

	while (conf_file_next(&cursor, &line)) {
		check(line.line > last && line.column > 0);
		check(line.kind != CONF_LINE_SETTING || (line.name.bytes && line.value.bytes));
		check(line.kind != CONF_LINE_RULE || line.rule.bytes);
		last = line.line;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	const struct conf_program program = { "/usr/lib/a/bin/aab", { "\xab\xcd", 2 } };
	struct conf_file file = { .path = "hresv.conf" };
	struct conf c;
	char *own = malloc(bytes + 1);

	memcpy(own, data, bytes);
	walk(own, bytes);	/* in a buffer without a byte behind it */
	free(own);
	if (blob_add(&file.text, data, bytes) == 0 && conf_file_select(&file, &program) == 0) {
		conf_parse_with(NULL, &file, program.exe, say, &c);
		check(c.fallback <= FALLBACK_FAIL && c.fork <= FORK_REFUSE);
		check((c.page_bytes & (c.page_bytes - 1)) == 0);
	}
	conf_file_free(&file);
	return 0;
}
