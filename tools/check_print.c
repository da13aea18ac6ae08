/* SPDX-License-Identifier: MIT */
/* check_print.c - what was found, for people and for programs; see check.h */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/check.h"
#include "tools/json.h"
#include "tools/screen.h"

typedef unsigned long long ull;

static void clean(const struct screen *s, const char *text)
{
	size_t columns;
	char *shown = screen_clean(s, text, strlen(text), &columns);

	fputs(shown ? shown : "?", s->to);
	free(shown);
}

static void head(const struct screen *s, const char *name)
{
	screen_ink(s, INK_DIM);
	printf("%-10s", name);
	screen_ink(s, INK_PLAIN);
}

static bool has(const struct check *c, enum trouble from, enum trouble to)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->troubles[i].trouble >= from && c->troubles[i].trouble <= to)
			return true;
	return false;
}

static void print_program(const struct check *c, const struct screen *s)
{
	if (!c->argv)
		return;
	head(s, "program");
	clean(s, c->program.path ? c->program.path : c->argv[0]);
	if (c->program.script) {
		fputs(", for ", stdout);
		clean(s, c->program.script);
	}
	puts(has(c, TROUBLE_STATIC, TROUBLE_NO_PROGRAM) ? "" : ": a preload reaches it");
	if (c->program.binary.text_bytes + c->program.binary.data_bytes < c->supply.page_bytes)
		return;
	head(s, "segments");
	printf("text of %s, data of %s: small unless HUGETLB_ELFMAP is set ('hresv elf' says how much could be huge)\n",
	       size_text(c->program.binary.text_bytes).text,
	       size_text(c->program.binary.data_bytes).text);
}

static void print_supply(const struct check *c, const struct screen *s)
{
	const struct supply *p = &c->supply;

	if (!p->page_bytes)
		return;
	head(s, "pool");
	if (p->pool_known)
		printf("%llu pages of %s: %llu free, %llu of these reserved, %llu surplus of at most %llu\n",
		       (ull)p->pool.total, size_text(p->page_bytes).text, (ull)p->pool.free,
		       (ull)p->pool.reserved, (ull)p->pool.surplus, (ull)p->pool.overcommit);
	else
		printf("hidden here; pages are of %s\n", size_text(p->page_bytes).text);
	head(s, "possible");
	if (c->have_pages == UINT64_MAX)
		fputs("nobody can say", stdout);
	else
		printf("%s in %llu pages", size_text(c->have_pages * p->page_bytes).text,
		       (ull)c->have_pages);
	if (c->need_pages)
		printf(", of %s in %llu needed", size_text(c->need_pages * p->page_bytes).text,
		       (ull)c->need_pages);
	putchar('\n');
}

/* System V segments take a right that mappings don't: said also to who didn't ask. */
static void print_segments(const struct check *c, const struct screen *s)
{
	if (!c->supply.page_bytes || c->shm)
		return;
	head(s, "System V");
	puts(c->supply.may_shm ? "segments may be huge too" :
				 "segments would be small ('hresv check --shm' says why)");
}

static void print_trial(const struct check *c, const struct screen *s)
{
	if (!c->trial)
		return;
	head(s, "trial");
	if (!c->trial_told) {
		puts("nothing that ended by exit(3) asked for large memory");
		return;
	}
	printf("asked for %s, of which %s were huge\n", size_text(c->asked_bytes).text,
	       size_text(c->huge_bytes).text);
}

void check_print(const struct check *c)
{
	struct screen s;

	screen_start(&s, stdout);
	print_program(c, &s);
	if (c->library) {
		head(&s, "library");
		clean(&s, c->library);
		putchar('\n');
	}
	print_trial(c, &s);
	print_supply(c, &s);
	print_segments(c, &s);
	for (size_t i = 0; i < c->n; i++) {
		const struct advice *a = &c->troubles[i];

		putchar('\n');
		screen_ink(&s, INK_BAD);
		printf("%s", trouble_name(a->trouble));
		screen_ink(&s, INK_PLAIN);
		fputs(": ", stdout);
		clean(&s, a->says);
		putchar('\n');
		for (size_t k = 0; k < a->n; k++) {
			printf("  %-11s ", a->mends[k].label);
			clean(&s, a->mends[k].line);
			putchar('\n');
		}
	}
	if (!c->n) {
		screen_ink(&s, INK_GOOD);
		puts("\nNothing stands in the way.");
		screen_ink(&s, INK_PLAIN);
	}
}

static void json_pages(struct json *j, const char *key, uint64_t pages, size_t page_bytes)
{
	if (pages == UINT64_MAX || !page_bytes)
		json_null(j, key);
	else
		json_u64(j, key, pages * page_bytes);
}

static void json_troubles(struct json *j, const struct check *c)
{
	json_list(j, "troubles");
	for (size_t i = 0; i < c->n; i++) {
		const struct advice *a = &c->troubles[i];

		json_object(j, NULL);
		json_text(j, "name", trouble_name(a->trouble));
		json_u64(j, "status", a->trouble);
		json_text(j, "says", a->says);
		json_list(j, "mends");
		for (size_t k = 0; k < a->n; k++) {
			json_object(j, NULL);
			json_text(j, "label", a->mends[k].label);
			json_text(j, "line", a->mends[k].line);
			json_end_object(j);
		}
		json_end_list(j);
		json_end_object(j);
	}
	json_end_list(j);
}

void check_print_json(const struct check *c)
{
	struct json j;

	json_start(&j, stdout);
	json_object(&j, NULL);
	json_u64(&j, "status", c->status);
	json_u64(&j, "page_bytes", c->supply.page_bytes);
	json_pages(&j, "possible_bytes", c->have_pages, c->supply.page_bytes);
	if (c->need_pages)
		json_pages(&j, "needed_bytes", c->need_pages, c->supply.page_bytes);
	else
		json_null(&j, "needed_bytes");
	json_bool(&j, "system_v", c->supply.may_shm);
	if (c->trial) {
		json_u64(&j, "trial_asked_bytes", c->asked_bytes);
		json_u64(&j, "trial_huge_bytes", c->huge_bytes);
	}
	if (c->argv && c->program.path) {
		json_text(&j, "program", c->program.path);
		json_u64(&j, "text_bytes", c->program.binary.text_bytes);
		json_u64(&j, "data_bytes", c->program.binary.data_bytes);
	}
	if (c->library)
		json_text(&j, "library", c->library);
	json_troubles(&j, c);
	json_end_object(&j);
}
