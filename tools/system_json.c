/* SPDX-License-Identifier: MIT */
/* system_json.c - the machine's huge pages for programs; see system.h */
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
