/* SPDX-License-Identifier: MIT */
/* report.c - where a report comes from; see report.h */
#include "tools/report.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "core/facts/pagesize.h"
#include "tools/json_read.h"
#include "tools/page.h"

static void sum(struct report *r)
{
	const struct stats *s = &r->page.counters;
	uint64_t wanted = s->wanted_peak;

	for (int use = 0; use < USE_N; use++)
		r->wanted_at_most |= s->use[use].small[REASON_NOT_YET] != 0;
	if (r->page_bytes && !r->wanted_pages)
		r->wanted_pages = wanted / r->page_bytes + (wanted % r->page_bytes != 0);
}

/* The size most was asked for in. */
static size_t main_size(const struct stats_page *page)
{
	const struct stats_size *most = &page->counters.size[0];
	struct pagesizes sizes;

	for (size_t i = 1; i < PAGESIZE_MAX; i++)
		if (page->counters.size[i].asked > most->asked)
			most = &page->counters.size[i];
	if (most->page_bytes)
		return most->page_bytes;
	return pagesize_read(proc_root(), &sizes) == 0 ? sizes.default_bytes : 0;
}

void report_read_page(struct report *r, uint64_t at)
{
	r->page_err = page_read(r->pid, at, &r->page);
	if (r->page_err)
		memset(&r->page, 0, sizeof(r->page));
	r->page_bytes = main_size(&r->page);
	if (r->page_err)
		return;
	r->copied = r->page.pid && r->status.own_pid && r->page.pid != (uint32_t)r->status.own_pid;
	sum(r);
}

int report_of_pid(pid_t pid, struct report *ret_report)
{
	uint64_t at = 0;
	struct report r = { .live = true, .pid = pid };
	struct blob scratch = { 0 };
	int err = proc_status(pid, &scratch, &r.status);

	blob_free(&scratch);
	if (err)
		return err;
	r.page_err = page_find(pid, &at);
	if (!r.page_err)
		report_read_page(&r, at);
	*ret_report = r;
	return 0;
}

static void read_reasons(const struct json_node *of, const char *key, uint64_t small[REASON_N])
{
	const struct json_node *reasons = json_member(of, key);

	for (int why = 1; why < REASON_N; why++)
		small[why] = json_number(reasons, reason_name((enum reason)why));
}

static void read_uses(const struct json_node *tree, struct stats *s)
{
	const struct json_node *uses = json_member(tree, "uses");
	const struct json_node *own = json_member(tree, "own_huge");

	for (int use = 0; use < USE_N; use++) {
		const struct json_node *u = json_member(uses, use_name((enum use)use));

		s->use[use].requests = json_number(u, "requests");
		s->use[use].asked = json_number(u, "asked");
		s->use[use].huge = json_number(u, "huge");
		read_reasons(u, "small", s->use[use].small);
	}
	s->guarded_requests = json_number(own, "requests");
	s->guarded_refused = json_number(own, "refused");
	s->guarded_bytes = json_number(own, "huge");
	s->guarded_largest = json_number(own, "largest_refused");
	read_reasons(own, "small", s->guarded_why);
}

static void read_sizes(const struct json_node *tree, struct stats *s)
{
	const struct json_node *list = json_member(tree, "sizes");
	size_t i = 0;

	for (const struct json_node *z = list ? list->first : NULL; z && i < PAGESIZE_MAX;
	     z = z->next, i++) {
		s->size[i].page_bytes = json_number(z, "page_bytes");
		s->size[i].requests = json_number(z, "requests");
		s->size[i].asked = json_number(z, "asked");
		s->size[i].huge = json_number(z, "huge");
		read_reasons(z, "small", s->size[i].small);
		s->size[i].pool_looks = json_number(z, "pool_looks");
		s->size[i].pool_total = json_number(z, "pool_total");
		s->size[i].pool_free = json_number(z, "pool_free");
		s->size[i].pool_reserved = json_number(z, "pool_reserved");
		s->size[i].pool_surplus = json_number(z, "pool_surplus");
	}
}

/* The number of the name among @n; @n itself, which no check lets pass, for others. */
static uint32_t number_of(struct span name, const char *(*name_of)(unsigned), unsigned n)
{
	unsigned i = 0;

	while (i < n && !span_equal(name, name_of(i)))
		i++;
	return i;
}

static const char *reason_at(unsigned i)
{
	return reason_name((enum reason)i);
}

static const char *use_at(unsigned i)
{
	return use_name((enum use)i);
}

static void read_records(const struct json_node *tree, struct stats_page *p)
{
	const struct json_node *list = json_member(tree, "decisions");

	for (const struct json_node *n = list ? list->first : NULL; n; n = n->next) {
		uint64_t number = json_number(n, "number");
		struct stats_record *r = &p->record[(number - 1) % STATS_RECORDS];
		struct span call = json_string(n, "call");

		if (number == 0)
			continue;
		*r = (struct stats_record){
			.number = number,
			.at = json_number(n, "at"),
			.asked = json_number(n, "asked"),
			.huge = json_number(n, "huge"),
			.page_bytes = json_number(n, "page_bytes"),
			.pool_free = json_number(n, "pool_free"),
			.pool_total = json_number(n, "pool_total"),
			.why = number_of(json_string(n, "why"), reason_at, REASON_N),
			.use = number_of(json_string(n, "use"), use_at, USE_N),
			.own = json_number(n, "own") != 0,
		};
		memcpy(r->call, call.at, call.bytes < sizeof(r->call) ? call.bytes :
									sizeof(r->call) - 1);
	}
}

static int read_tree(const struct json_node *tree, struct report *r)
{
	struct stats *s = &r->page.counters;

	if (!span_equal(json_string(tree, "format"), "hresv-stats"))
		return -EBADMSG;
	if (json_number(tree, "version") != STATS_VERSION)
		return -EPROTO;
	r->page = (struct stats_page){ .magic = STATS_MAGIC, .version = STATS_VERSION,
				       .bytes = sizeof(r->page), .uses = USE_N,
				       .reasons = REASON_N, .sizes = PAGESIZE_MAX,
				       .records = STATS_RECORDS };
	r->pid = (pid_t)json_number(tree, "pid");
	r->page.pid = (uint32_t)r->pid;
	r->page_bytes = json_number(tree, "page_bytes");
	r->wanted_pages = json_number(tree, "wanted_pages");
	s->huge_now = json_number(tree, "huge_now");
	s->huge_peak = json_number(tree, "huge_peak");
	s->wanted_peak = json_number(tree, "wanted_peak");
	s->demoted = json_number(tree, "demoted");
	s->promoted = json_number(tree, "promoted");
	s->rescued = json_number(tree, "rescued");
	s->copied = json_number(tree, "fork_copies");
	r->page.decided = json_number(tree, "decided");
	r->page.lost = json_number(tree, "lost");
	read_uses(tree, s);
	read_sizes(tree, s);
	read_records(tree, &r->page);
	sum(r);
	return page_check(&r->page);
}

int report_of_file(const char *path, struct report *ret_report)
{
	struct report r = { 0 };
	struct json_node *tree;
	struct blob content;
	struct stat st;
	int err;

	/* A device may have no end. */
	if (stat(path, &st) == 0 && (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)))
		return -EBADMSG;
	err = blob_read_file(path, &content);
	if (err)
		return err;
	err = json_parse((struct span){ content.at, content.bytes }, &tree);
	if (!err) {
		err = read_tree(tree, &r);
		json_free(tree);
	}
	blob_free(&content);
	if (!err)
		*ret_report = r;
	return err;
}
