/* SPDX-License-Identifier: MIT */
/* system_json.c - the machine's huge pages for programs: JSON, Prometheus; see system.h */
#include <inttypes.h>

#include "tools/system.h"

static void pool_json(struct json *j, const struct pool *p)
{
	json_u64(j, "total", p->total);
	json_u64(j, "free", p->free);
	json_u64(j, "reserved", p->reserved);
	json_u64(j, "surplus", p->surplus);
	json_u64(j, "overcommit", p->overcommit);
	json_bool(j, "impossible", p->impossible);
	if (system_complaint(p))
		json_text(j, "complaint", system_complaint(p));
}

static void pools_json(struct json *j, const struct system *s)
{
	json_list(j, "pools");
	for (size_t i = 0; i < s->sizes.n; i++) {
		json_object(j, NULL);
		json_u64(j, "page_bytes", s->sizes.bytes[i]);
		json_bool(j, "default", s->sizes.bytes[i] == s->sizes.default_bytes);
		if (!s->pool_err[i])
			pool_json(j, &s->pools[i]);
		json_list(j, "nodes");
		for (size_t k = 0; k < s->n_nodes; k++) {
			if (s->nodes[k].page_bytes != s->sizes.bytes[i])
				continue;
			json_object(j, NULL);
			json_u64(j, "node", s->nodes[k].node);
			json_u64(j, "total", s->nodes[k].pool.total);
			json_u64(j, "free", s->nodes[k].pool.free);
			json_u64(j, "surplus", s->nodes[k].pool.surplus);
			json_end_object(j);
		}
		json_end_list(j);
		json_end_object(j);
	}
	json_end_list(j);
}

static void limit_json(struct json *j, const char *key, uint64_t bytes)
{
	if (bytes == CGROUP_UNLIMITED)
		json_null(j, key);
	else
		json_u64(j, key, bytes);
}

static void holders_json(struct json *j, const struct system *s)
{
	json_list(j, "processes");
	for (size_t i = 0; i < s->n_holders; i++) {
		const struct system_holder *h = &s->holders[i];

		json_object(j, NULL);
		json_u64(j, "pid", (uint64_t)h->pid);
		json_text(j, "name", h->status.name);
		json_u64(j, "uid", h->status.uid);
		json_u64(j, "huge", h->status.hugetlb_bytes);
		if (h->split_known) {
			json_u64(j, "private", h->private_bytes);
			json_u64(j, "shared", h->shared_bytes);
			json_u64(j, "reserved_at_most", h->reserved_bytes);
		}
		json_end_object(j);
	}
	json_end_list(j);
	json_u64(j, "processes_seen", s->n_processes);
	json_u64(j, "processes_hidden", s->n_hidden);
}

static void groups_json(struct json *j, const struct system *s)
{
	json_list(j, "groups");
	for (size_t i = 0; i < s->n_groups; i++) {
		const struct system_group *g = &s->groups[i];

		json_object(j, NULL);
		json_text(j, "path", g->path);
		json_u64(j, "page_bytes", g->page_bytes);
		json_u64(j, "usage", g->usage);
		limit_json(j, "limit", g->limit);
		json_u64(j, "reserved", g->rsvd_usage);
		limit_json(j, "reserved_limit", g->rsvd_limit);
		json_u64(j, "refused", g->refused);
		json_end_object(j);
	}
	json_end_list(j);
}

static void mounts_json(struct json *j, const struct system *s)
{
	struct mount_room room;

	json_list(j, "mounts");
	for (size_t i = 0; i < mounts_count(&s->mounts); i++) {
		const struct hugetlbfs_mount *m = mounts_at(&s->mounts, i);

		json_object(j, NULL);
		json_text(j, "path", m->path);
		json_u64(j, "page_bytes", m->page_bytes);
		limit_json(j, "quota", m->quota_bytes);
		if (!*proc_root() && mount_room_read(m->path, &room) == 0 &&
		    room.quota_pages != UINT64_MAX)
			json_u64(j, "quota_free", room.free_pages * room.page_bytes);
		json_u64(j, "kept", m->min_bytes);
		json_bool(j, "read_only", m->read_only);
		json_end_object(j);
	}
	json_end_list(j);
}

void system_json(struct json *j, const struct system *s)
{
	pools_json(j, s);
	holders_json(j, s);
	groups_json(j, s);
	mounts_json(j, s);
}

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

void system_prometheus(FILE *to, const struct system *s)
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
