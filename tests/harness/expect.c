/* SPDX-License-Identifier: MIT */
/*
 * expect.c - EXPECT, REQUIRE, SKIP and FAIL, and the verdict they write
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/harness/harness.h"
#include "tests/harness/verdict.h"

static struct verdict *shared;

__attribute__((constructor(101))) static void map_verdict(void)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED) {
		perror("harness: no shared memory");
		exit(2);
	}
}

struct verdict *verdict(void)
{
	return shared;
}

void verdict_clear(bool quiet)
{
	memset(shared, 0, sizeof(*shared));
	shared->quiet = quiet;
}

__attribute__((format(printf, 3, 4))) static void note(const char *file, int line,
							const char *why, ...)
{
	char text[sizeof(shared->first)];
	va_list args;
	int at = snprintf(text, sizeof(text), "%s:%d: ", file, line);

	va_start(args, why);
	vsnprintf(text + at, sizeof(text) - at, why, args);
	va_end(args);

	unsigned nth = atomic_fetch_add(&shared->failures, 1);

	if (nth == 0)
		memcpy(shared->first, text, sizeof(text));
	if (nth < VERDICT_SHOWN_MAX && !shared->quiet)
		fprintf(stderr, "# %s\n", text);
}

/* In a child the test forked only that child ends; the verdict is the test's all the same. */
__attribute__((noreturn)) static void end_test(void)
{
	_exit(1);
}

static void print_value(char *text, size_t bytes, struct harness_value v)
{
	if (v.kind == HARNESS_POINTER)
		snprintf(text, bytes, "%#" PRIx64, v.bits);
	else if (v.kind == HARNESS_UNSIGNED)
		snprintf(text, bytes, "%" PRIu64, v.bits);
	else if ((int64_t)v.bits < 0 && (int64_t)v.bits > -4096)
		snprintf(text, bytes, "%" PRId64 " (-%s)", (int64_t)v.bits,
			 strerrorname_np(-(int)v.bits) ? strerrorname_np(-(int)v.bits) : "?");
	else
		snprintf(text, bytes, "%" PRId64, (int64_t)v.bits);
}

static bool is_negative(struct harness_value v)
{
	return v.kind == HARNESS_SIGNED && (int64_t)v.bits < 0;
}

/* -1, 0 or 1; as numbers, so that -1 is less than any size_t. */
static int order(struct harness_value a, struct harness_value b)
{
	if (is_negative(a) != is_negative(b))
		return is_negative(a) ? -1 : 1;
	/* Both negative: two's complement keeps the order. */
	return a.bits < b.bits ? -1 : a.bits > b.bits;
}

void harness_compare(const struct harness_where *where, struct harness_value a,
		     struct harness_value b)
{
	int found = order(a, b);
	char left[64], right[64];
	bool holds = !strcmp(where->op, "==")   ? found == 0
		     : !strcmp(where->op, "!=") ? found != 0
		     : !strcmp(where->op, "<")  ? found < 0
		     : !strcmp(where->op, "<=") ? found <= 0
		     : !strcmp(where->op, ">")  ? found > 0
						: found >= 0;

	if (holds)
		return;
	print_value(left, sizeof(left), a);
	print_value(right, sizeof(right), b);
	note(where->file, where->line, "expected %s %s %s: %s against %s", where->left,
	     where->op, where->right, left, right);
	if (where->ends_test)
		end_test();
}

void harness_truth(const struct harness_where *where, bool is, bool want)
{
	if (is == want)
		return;
	note(where->file, where->line, "expected %s to be %s", where->left, where->right);
	if (where->ends_test)
		end_test();
}

void harness_strings(const struct harness_where *where, const char *text, const char *other,
		     bool whole)
{
	if (text && other && (whole ? !strcmp(text, other) : strstr(text, other) != NULL))
		return;
	if (whole && text == other)
		return;
	note(where->file, where->line, "expected %s %s %s: \"%s\" against \"%s\"", where->left,
	     where->op, where->right, text ? text : "(null)", other ? other : "(null)");
	if (where->ends_test)
		end_test();
}

void harness_skip(const char *need, ...)
{
	va_list args;

	va_start(args, need);
	vsnprintf(shared->need, sizeof(shared->need), need, args);
	va_end(args);
	atomic_store(&shared->skipped, true);
	_exit(0);
}

void harness_fail(const char *file, int line, const char *why, ...)
{
	char text[400];
	va_list args;

	va_start(args, why);
	vsnprintf(text, sizeof(text), why, args);
	va_end(args);
	note(file, line, "%s", text);
	end_test();
}
