/* SPDX-License-Identifier: MIT */
/*
 * cgroup_walk.c - finding our control group, and the way up from it
 *
 * Pitfalls.
 * 1. Group paths in /proc/self/cgroup are not escaped, the root and mount point
 *    in mountinfo are; both are relative to the cgroup namespace, and "/.."
 *    leads out of it.
 * 2. A hierarchy can be mounted several times, whole or in part. Only a mount
 *    whose root is an ancestor of our group shows the limits above us, and the
 *    higher its root the more of them.
 * 3. "No limit file" and "the directory is hidden" look alike. cgroup.procs is
 *    in every group of either version, so its absence means hidden.
 * 4. The true root never carries a limit (both versions refuse to set one), and
 *    it alone lacks cgroup.type (v2) or has release_agent (v1).
 */
#include "core/facts/cgroup_walk.h"

#include <errno.h>
#include <string.h>

#include "core/facts/meminfo.h"
#include "core/facts/mountinfo.h"

/* Unlimited reads as "max" in v2 and as 2^63 less a page in v1. */
#define LIMIT_MAX ((uint64_t)1 << 62)

/* The link of the first cgroup namespace: PROC_CGROUP_INIT_INO. */
#define INITIAL_NAMESPACE "cgroup:[4026531835]"

/* What /proc/self/cgroup says of one controller. */
struct membership {
	bool v1, v2;		/* a line of that version exists */
	struct span path;	/* our group, in the hierarchy that has the controller */
};

/* The mount through which our group is best seen. */
struct view {
	bool found;
	bool above_us;		/* its root is an ancestor of our group, or our group */
	size_t root_bytes;
	struct span point;	/* escaped */
	struct span below;	/* from the root to our group: "" or "/a/b" */
};

static bool has_dots(struct span path)
{
	struct span part;

	while (span_next_field(&path, '/', &part))
		if (span_equal(part, ".."))
			return true;
	return false;
}

/* Lines are "4:memory,hugetlb:/path"; the path may itself contain colons. */
static struct membership find_membership(struct span content, const char *controller)
{
	struct membership m = { 0 };
	struct span line;

	while (span_next_line(&content, &line)) {
		struct span number, list;

		if (!span_next_field(&line, ':', &number) || !span_next_field(&line, ':', &list) ||
		    !span_starts(line, "/"))
			continue;
		if (text_listed(list, ',', span_of(controller))) {
			m.v1 = true;
			m.path = line;
		} else if (span_equal(number, "0") && list.bytes == 0 && !m.v2) {
			m.v2 = true;
			if (!m.v1)
				m.path = line;
		}
	}
	return m;
}

/*
 * Is @root an ancestor of @path, or @path itself? Then *ret_below is the way
 * from it. A way that leads out and in again can't be followed.
 */
static bool path_below(struct span path, struct span root, struct span *ret_below)
{
	struct span below = path;

	if (!span_equal(root, "/")) {
		if (path.bytes < root.bytes || memcmp(path.at, root.at, root.bytes) != 0)
			return false;
		below.at += root.bytes;
		below.bytes -= root.bytes;
		if (below.bytes && below.at[0] != '/')
			return false;
	} else if (span_equal(path, "/")) {
		below.bytes = 0;
	}
	if (has_dots(below))
		return false;
	*ret_below = below;
	return true;
}

/* Equal ones: the first, as later ones tend to be copies made for a sandbox. */
static bool better(const struct view *than, const struct view *v)
{
	if (!than->found || v->above_us != than->above_us)
		return !than->found || v->above_us;
	return v->root_bytes < than->root_bytes;
}

static bool of_hierarchy(const struct mountinfo *m, bool v2, const char *controller)
{
	struct span none;

	if (v2)
		return span_equal(m->fstype, "cgroup2");
	return span_equal(m->fstype, "cgroup") &&
	       mountinfo_option(m->super, controller, &none) == 0;
}

/* @scratch holds one root at a time, unescaped. */
static int find_view(struct span mountinfo, const struct membership *me, const char *controller,
		     struct blob *scratch, struct view *ret_view)
{
	struct view best = { 0 };
	struct mountinfo m;

	while (mountinfo_next(&mountinfo, &m)) {
		struct view v = { .found = true, .point = m.point };

		if (!of_hierarchy(&m, !me->v1, controller) || mountinfo_hidden(&m, mountinfo))
			continue;
		blob_cut(scratch, 0);
		if (blob_reserve(scratch, m.root.bytes + 1))
			return -ENOMEM;
		v.root_bytes = text_unescape(m.root, scratch->at);
		v.above_us = path_below(me->path, (struct span){ scratch->at, v.root_bytes },
					&v.below);
		if (better(&best, &v))
			best = v;
	}
	*ret_view = best;
	return 0;
}

static bool accounts_hugetlb(struct span mountinfo)
{
	struct mountinfo m;
	struct span none;

	while (mountinfo_next(&mountinfo, &m))
		if (span_equal(m.fstype, "cgroup2") &&
		    mountinfo_option(m.super, "memory_hugetlb_accounting", &none) == 0)
			return true;
	return false;
}

static int in_initial_namespace(const char *root, bool *ret_initial)
{
	struct reader r;
	struct span text;
	int err = reader_open(&r, root);

	if (!err)
		err = reader_link(&r, "/proc/self/ns/cgroup", &text);
	*ret_initial = !err && span_equal(text, INITIAL_NAMESPACE);
	reader_close(&r);
	return err == -ENOMEM ? err : 0;
}

static bool lists_controller(struct span content, const char *controller)
{
	struct span line, name, hierarchy, groups, enabled;

	while (span_next_line(&content, &line))
		if (span_next_word(&line, &name) && span_equal(name, controller))
			return !span_next_word(&line, &hierarchy) ||
			       !span_next_word(&line, &groups) ||
			       !span_next_word(&line, &enabled) || !span_equal(enabled, "0");
	return false;
}

/*
 * Does the kernel lack the controller altogether? /proc/cgroups lists those it
 * has; a disabled one ("0" in the last column) limits nothing either.
 */
static int controller_absent(const char *root, const char *controller, bool *ret_absent)
{
	struct blob content = { 0 };
	struct span all;
	int err = blob_read_under(root, "/proc/cgroups", &content);

	if (err)
		return err == -ENOMEM ? err : 0;
	all = (struct span){ content.at, content.bytes };
	*ret_absent = mountinfo_whole(all) && span_starts(all, "#subsys_name") &&
		      !lists_controller(all, controller);
	blob_free(&content);
	return 0;
}

/* The base becomes the mount point and the way to our group; it starts there. */
static int enter_view(struct cgroup_walk *walk, const struct view *v)
{
	struct blob *base = &walk->level.base;
	int err = blob_reserve(base, v->point.bytes + 1);

	if (err)
		return err;
	base->bytes += text_unescape(v->point, base->at + base->bytes);
	if (base->bytes == walk->level.root_bytes + 1)
		blob_cut(base, walk->level.root_bytes);	/* mounted at "/" */
	walk->top_bytes = base->bytes;
	return v->above_us ? blob_add(base, v->below.at, v->below.bytes) : 0;
}

/* Is the top of the mount the root of the hierarchy, whatever it is called here? */
static int at_true_root(struct cgroup_walk *walk, bool *ret_true_root)
{
	struct blob *base = &walk->level.base;
	struct span below = { base->at + walk->top_bytes, base->bytes - walk->top_bytes };
	struct blob way = { 0 };
	int err = blob_add(&way, below.at, below.bytes);

	if (!err) {
		blob_cut(base, walk->top_bytes);
		int procs = reader_has(&walk->level, "/cgroup.procs");
		int mark = reader_has(&walk->level, walk->v2 ? "/cgroup.type" : "/release_agent");

		*ret_true_root = procs == 0 && mark == (walk->v2 ? -ENOENT : 0);
		err = blob_add(base, way.at, way.bytes);
	}
	blob_free(&way);
	return err;
}

/* To our group, through the mount that shows most of the way to it. */
static int enter_group(struct cgroup_walk *walk, const struct membership *me,
		       const char *controller, bool initial, struct span mountinfo)
{
	struct blob scratch = { 0 };
	struct view v = { 0 };
	bool true_root = false;
	int err = find_view(mountinfo, me, controller, &scratch, &v);

	blob_free(&scratch);
	if (err || !v.found)
		return err;
	err = enter_view(walk, &v);
	if (err)
		return err;
	walk->ended = false;
	if (!v.above_us)
		return 0;
	if (initial && v.root_bytes == 1)
		true_root = true;
	else
		err = at_true_root(walk, &true_root);
	walk->complete = true_root;
	return err;
}

static int find_our_group(struct cgroup_walk *walk, const char *root, const char *controller,
			  struct span groups)
{
	struct membership me = find_membership(groups, controller);
	struct blob mountinfo = { 0 };
	bool initial;
	int err = in_initial_namespace(root, &initial);

	walk->v2 = !me.v1;
	if (err)
		return err;
	if ((me.v1 || me.v2) && initial && span_equal(me.path, "/")) {
		walk->complete = true;	/* the true root: no limit can be set there */
		return 0;
	}
	err = blob_read_under(root, "/proc/self/mountinfo", &mountinfo);
	if (err)
		return err;

	struct span mounts = { mountinfo.at, mountinfo.bytes };

	walk->memory_hugetlb = accounts_hugetlb(mounts);
	if (me.v1 || me.v2)
		err = enter_group(walk, &me, controller, initial, mounts);
	blob_free(&mountinfo);
	return err;
}

int cgroup_walk_open(struct cgroup_walk *walk, const char *root, const char *controller)
{
	struct blob content = { 0 };
	int err;

	*walk = (struct cgroup_walk){ .ended = true };
	err = reader_open(&walk->level, root);
	if (!err)
		err = blob_read_under(root, "/proc/self/cgroup", &content);

	struct span groups = { content.at, content.bytes };

	if (!err)
		err = find_our_group(walk, root, controller, groups);
	if (!mountinfo_whole(groups))
		walk->complete = false;	/* the line that names our group may be missing */
	if (!err && !walk->complete)
		err = controller_absent(root, controller, &walk->absent);
	blob_free(&content);
	if (err)
		cgroup_walk_close(walk);
	return err;
}

void cgroup_walk_close(struct cgroup_walk *walk)
{
	reader_close(&walk->level);
}

bool cgroup_walk_here(const struct cgroup_walk *walk)
{
	return !walk->ended;
}

void cgroup_walk_up(struct cgroup_walk *walk)
{
	struct blob *base = &walk->level.base;
	size_t to = base->bytes;

	if (to == walk->top_bytes) {
		walk->ended = true;
		return;
	}
	while (base->at[--to] != '/')
		;
	blob_cut(base, to);
}

/* A file could not be read: is that a group without it, or a group unseen? */
static int note_missing(struct cgroup_walk *walk, int err)
{
	if (err == -ENOENT)
		err = reader_has(&walk->level, "/cgroup.procs");
	if (err)
		walk->complete = false;
	return err == -ENOMEM ? err : 0;
}

int cgroup_walk_limit(struct cgroup_walk *walk, const char *name, const char *suffix,
		      uint64_t *ret_limit, bool *ret_found)
{
	struct span text;
	uint64_t limit;
	int err = reader_read(&walk->level, name, suffix, &text);

	if (err) {
		*ret_found = false;
		return note_missing(walk, err);
	}
	*ret_found = true;
	if (span_equal(span_trim(text), "max")) {
		*ret_limit = UINT64_MAX;
		return 0;
	}
	err = text_u64(text, &limit);
	if (err == -EBADMSG) {
		walk->complete = false;
		*ret_found = false;
		return 0;
	}
	*ret_limit = err || limit > LIMIT_MAX ? UINT64_MAX : limit;
	return 0;
}

int cgroup_walk_number(struct cgroup_walk *walk, const char *name, const char *suffix,
		       const char *key, uint64_t *ret_value)
{
	struct span text;
	int err = reader_read(&walk->level, name, suffix, &text);

	if (!err && *key)
		err = meminfo_text(text, key, &text);
	return err ? err : text_u64(text, ret_value);
}

struct span cgroup_walk_directory(const struct cgroup_walk *walk)
{
	const struct blob *base = &walk->level.base;

	return (struct span){ base->at + walk->level.root_bytes,
			      base->bytes - walk->level.root_bytes };
}
