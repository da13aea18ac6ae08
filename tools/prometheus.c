/* SPDX-License-Identifier: MIT */
/* prometheus.c - what node_exporter's textfile collector reads; see watch.h */
#include <inttypes.h>
#include <stddef.h>

#include "tools/system.h"
#include "tools/watch.h"

/* A label's value: backslash, quote and newline are escaped, other controls left out. */
static void label(FILE *to, const char *text)
{
	for (; *text; text++) {
		if (*text == '\\' || *text == '"')
			fprintf(to, "\\%c", *text);
		else if (*text == '\n')
			fputs("\\n", to);
		else if ((unsigned char)*text >= 0x20 && (unsigned char)*text < 0x7f)
			fputc(*text, to);
		else
			fputc('?', to);
	}
}

static void family(FILE *to, const char *name, const char *help)
{
	fprintf(to, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name);
}

static void pool_family(FILE *to, const struct system *s, const char *name, const char *help,
			size_t offset)
{
	family(to, name, help);
	for (size_t i = 0; i < s->sizes.n; i++)
		if (!s->pool_err[i] && !s->pools[i].impossible)
			fprintf(to, "%s{page_bytes=\"%zu\"} %" PRIu64 "\n", name, s->sizes.bytes[i],
				*(const uint64_t *)((const char *)&s->pools[i] + offset));
}

static void group_family(FILE *to, const struct system *s, const char *name, const char *help,
			 size_t offset)
{
	family(to, name, help);
	for (size_t i = 0; i < s->n_groups; i++) {
		uint64_t value = *(const uint64_t *)((const char *)&s->groups[i] + offset);

		if (value == CGROUP_UNLIMITED)
			continue;
		fprintf(to, "%s{page_bytes=\"%zu\",cgroup=\"", name, s->groups[i].page_bytes);
		label(to, s->groups[i].path);
		fprintf(to, "\"} %" PRIu64 "\n", value);
	}
}

static void system_families(FILE *to, const struct system *s)
{
	pool_family(to, s, "hresv_pool_pages", "Huge pages in the pool.",
		    offsetof(struct pool, total));
	pool_family(to, s, "hresv_pool_free_pages", "Huge pages nobody has taken.",
		    offsetof(struct pool, free));
	pool_family(to, s, "hresv_pool_reserved_pages", "Free huge pages promised to somebody.",
		    offsetof(struct pool, reserved));
	pool_family(to, s, "hresv_pool_surplus_pages", "Huge pages beyond the configured number.",
		    offsetof(struct pool, surplus));
	family(to, "hresv_pool_impossible", "1 where the kernel's counters contradict each other.");
	for (size_t i = 0; i < s->sizes.n; i++)
		if (!s->pool_err[i])
			fprintf(to, "hresv_pool_impossible{page_bytes=\"%zu\"} %d\n",
				s->sizes.bytes[i], s->pools[i].impossible);
	family(to, "hresv_node_free_pages", "Huge pages nobody has taken, by NUMA node.");
	for (size_t i = 0; i < s->n_nodes; i++)
		fprintf(to, "hresv_node_free_pages{page_bytes=\"%zu\",node=\"%u\"} %" PRIu64 "\n",
			s->nodes[i].page_bytes, s->nodes[i].node, s->nodes[i].pool.free);
	family(to, "hresv_process_huge_bytes", "Huge memory of a process; what is shared counts in each.");
	for (size_t i = 0; i < s->n_holders; i++) {
		fprintf(to, "hresv_process_huge_bytes{pid=\"%d\",name=\"", (int)s->holders[i].pid);
		label(to, s->holders[i].status.name);
		fprintf(to, "\"} %" PRIu64 "\n", s->holders[i].status.hugetlb_bytes);
	}
	group_family(to, s, "hresv_cgroup_usage_bytes", "Huge memory charged to a control group.",
		     offsetof(struct system_group, usage));
	group_family(to, s, "hresv_cgroup_limit_bytes", "Its limit, where it has one.",
		     offsetof(struct system_group, limit));
	group_family(to, s, "hresv_cgroup_refused", "Times the limit was met.",
		     offsetof(struct system_group, refused));
}

static void sample(FILE *to, const char *name, const struct watched *p)
{
	fprintf(to, "%s{pid=\"%d\",name=\"", name, (int)p->pid);
	label(to, p->status.name);
	fputc('"', to);
}

static void process_families(FILE *to, const struct watch *w)
{
	family(to, "hresv_process_asked_bytes", "Memory a process asked for that could be huge.");
	for (size_t i = 0; i < w->n; i++)
		if (w->at[i].in_use) {
			sample(to, "hresv_process_asked_bytes", &w->at[i]);
			fprintf(to, "} %" PRIu64 "\n", w->at[i].total.asked);
		}
	family(to, "hresv_process_not_huge_bytes", "Of it, what did not become huge, by reason.");
	for (size_t i = 0; i < w->n; i++)
		for (int why = 1; w->at[i].in_use && why < REASON_N; why++)
			if (w->at[i].total.small[why]) {
				sample(to, "hresv_process_not_huge_bytes", &w->at[i]);
				fprintf(to, ",reason=\"%s\"} %" PRIu64 "\n",
					reason_name((enum reason)why), w->at[i].total.small[why]);
			}
}

static void event_family(FILE *to, const struct watch *w)
{
	static const char *const names[] = { "promoted", "demoted", "fork-copy", "rescued" };

	family(to, "hresv_process_pages", "Huge pages to which something happened.");
	for (size_t i = 0; i < w->n; i++) {
		const struct watched *p = &w->at[i];
		const uint64_t pages[] = { p->promoted, p->demoted, p->copied, p->rescued };

		for (size_t k = 0; p->in_use && k < 4; k++) {
			sample(to, "hresv_process_pages", p);
			fprintf(to, ",event=\"%s\"} %" PRIu64 "\n", names[k], pages[k]);
		}
	}
}

void prometheus_write(FILE *to, const struct system *s, const struct watch *w)
{
	system_families(to, s);
	process_families(to, w);
	event_family(to, w);
}
