/* SPDX-License-Identifier: MIT */
/* The environment: any bytes between its zeros, and what is said of them. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/facts/conf.h"

#define VARIABLES_MOST 64

static void check(bool right)
{
	if (!right)
		abort();
}

static void say(const struct conf_remark *remark)
{
	check(remark->what && remark->used_instead);
	check(remark->variable.bytes > 0);
}

/* Whatever stands there, what comes out is a configuration the rest can rely on. */
static void check_sane(const struct conf *c)
{
	check(c->fallback <= FALLBACK_FAIL && c->explicit_requests <= EXPLICIT_SMALL);
	check(c->fork <= FORK_REFUSE);
	check((c->page_bytes & (c->page_bytes - 1)) == 0);
	check((c->mmap.page_bytes & (c->mmap.page_bytes - 1)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	char *environment[VARIABLES_MOST + 1], *block = malloc(bytes + 1), *at = block;
	const struct conf *sealed;
	struct conf c;
	size_t n = 0;

	memcpy(block, data, bytes);
	block[bytes] = '\0';
	while (at < block + bytes && n < VARIABLES_MOST) {
		environment[n++] = at;
		at += strlen(at) + 1;
	}
	environment[n] = NULL;
	conf_parse(environment, "/usr/bin/prog", say, &c);
	check_sane(&c);
	if (conf_seal(environment, NULL, false, &sealed) == 0) {
		check_sane(sealed);
		/* A copy: what it says does not change with the environment. */
		memset(block, 'x', bytes);
		check(!sealed->paths || strlen(sealed->paths) <= bytes);
		conf_unseal(sealed);
	}
	free(block);
	return 0;
}
