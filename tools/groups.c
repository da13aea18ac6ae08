/* SPDX-License-Identifier: MIT */
/*
 * groups.c - control groups with huge pages or limits on them, v1 and v2
 *
 * Walks down from where each hierarchy with the hugetlb controller is mounted; only
 * what is visible there is told.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/facts/mountinfo.h"
#include "core/facts/reader.h"
#include "tools/command.h"
#include "tools/system.h"

/* The names of one version's files: hugetlb.<size>.NAME. */
struct names {
	const char *usage, *limit, *rsvd_usage, *rsvd_limit, *refused;
};

static const struct names v1 = { "usage_in_bytes", "limit_in_bytes", "rsvd.usage_in_bytes",
				 "rsvd.limit_in_bytes", "failcnt" };
static const struct names v2 = { "current", "max", "rsvd.current", "rsvd.max", "events" };

/* "hugetlb.2MB." as the kernel names its files. */
static char *file_prefix(size_t page_bytes)
{
	static const struct { unsigned shift; const char *unit; } units[] = {
		{ 30, "GB" }, { 20, "MB" }, { 10, "KB" },
	};
	char *text = NULL;

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]) && !text; i++)
		if (page_bytes >> units[i].shift &&
		    asprintf(&text, "hugetlb.%zu%s.", page_bytes >> units[i].shift,
			     units[i].unit) < 0)
			exit(command_failed("out of memory"));
	return text;
}

/* A number, "max", or the line "max N" of an events file; @none where there is none. */
static uint64_t number(struct reader *r, const char *prefix, const char *name, uint64_t none)
{
	struct span content, line, word;
	uint64_t value = none;

	if (reader_read(r, prefix, name, &content) != 0)
		return none;
	if (text_u64(content, &value) == 0)
		return value >> 62 ? CGROUP_UNLIMITED : value;
	while (span_next_line(&content, &line))
		if (span_next_word(&line, &word) && span_equal(word, "max") &&
		    span_next_word(&line, &word) && text_u64(word, &value) == 0)
			return value;
	return none;
}

static void add(struct system *s, const struct system_group *g, const char *path)
{
	/* Room doubles whenever the number is a power of two. */
	if ((s->n_groups & (s->n_groups - 1)) == 0) {
		size_t room = s->n_groups ? s->n_groups * 2 : 1;

		s->groups = reallocarray(s->groups, room, sizeof(*g));
		if (!s->groups)
			exit(command_failed("out of memory"));
	}
	s->groups[s->n_groups] = *g;
	s->groups[s->n_groups].path = strdup(*path ? path : "/");
	if (!s->groups[s->n_groups++].path)
		exit(command_failed("out of memory"));
}

static void look_at(struct system *s, struct reader *r, const char *path, const struct names *names)
{
	for (size_t i = 0; i < s->sizes.n; i++) {
		char *prefix = file_prefix(s->sizes.bytes[i]);
		struct system_group g = { .page_bytes = s->sizes.bytes[i] };

		if (!prefix)
			continue;
		g.usage = number(r, prefix, names->usage, 0);
		g.limit = number(r, prefix, names->limit, CGROUP_UNLIMITED);
		g.rsvd_usage = number(r, prefix, names->rsvd_usage, 0);
		g.rsvd_limit = number(r, prefix, names->rsvd_limit, CGROUP_UNLIMITED);
		g.refused = number(r, prefix, names->refused, 0);
		free(prefix);
		if (g.usage || g.rsvd_usage || g.limit != CGROUP_UNLIMITED ||
		    g.rsvd_limit != CGROUP_UNLIMITED)
			add(s, &g, path);
	}
}

/* Groups are deep as somebody made them: paths wait in a list, not on the stack. */
struct todo {
	char **paths;
	size_t n;
};

static void later(struct todo *t, const char *path, const char *name)
{
	char *text;

	t->paths = reallocarray(t->paths, t->n + 1, sizeof(*t->paths));
	if (!t->paths || asprintf(&text, "%s%s%s", path, *name ? "/" : "", name) < 0)
		exit(command_failed("out of memory"));
	t->paths[t->n++] = text;
}

static void add_children(struct todo *t, const char *top, const char *path)
{
	struct dirent *entry;
	char *full;
	DIR *dir;

	if (asprintf(&full, "%s%s%s", proc_root(), top, path) < 0)
		exit(command_failed("out of memory"));
	dir = opendir(full);
	free(full);
	if (!dir)
		return;
	while ((entry = readdir(dir)))
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
			later(t, path, entry->d_name);
	closedir(dir);
}

static void walk(struct system *s, const char *top, const struct names *names)
{
	struct todo t = { 0 };
	struct reader r;

	if (reader_open(&r, proc_root()) != 0)
		exit(command_failed("out of memory"));
	later(&t, "", "");
	while (t.n) {
		char *path = t.paths[--t.n], *directory;

		if (asprintf(&directory, "%s%s/", top, path) < 0 ||
		    reader_base(&r, directory) != 0)
			exit(command_failed("out of memory"));
		look_at(s, &r, path, names);
		add_children(&t, top, path);
		free(directory);
		free(path);
	}
	free(t.paths);
	reader_close(&r);
}

static int by_path(const void *a, const void *b)
{
	const struct system_group *x = a, *y = b;
	int order = strcmp(x->path, y->path);

	return order ? order : (x->page_bytes > y->page_bytes) - (x->page_bytes < y->page_bytes);
}

void system_read_groups(struct system *s)
{
	struct blob content = { 0 };
	struct span rest, value;
	struct mountinfo m;

	if (blob_read_under(proc_root(), "/proc/self/mountinfo", &content) != 0)
		return;
	rest = (struct span){ content.at, content.bytes };
	while (mountinfo_next(&rest, &m)) {
		bool is_v2 = span_equal(m.fstype, "cgroup2");
		char *point;

		if ((!is_v2 && !(span_equal(m.fstype, "cgroup") &&
				 mountinfo_option(m.super, "hugetlb", &value) == 0)) ||
		    mountinfo_hidden(&m, rest))
			continue;
		point = malloc(m.point.bytes + 1);
		if (!point)
			exit(command_failed("out of memory"));
		text_unescape(m.point, point);
		walk(s, strcmp(point, "/") == 0 ? "" : point, is_v2 ? &v2 : &v1);
		free(point);
	}
	blob_free(&content);
	if (s->n_groups)
		qsort(s->groups, s->n_groups, sizeof(*s->groups), by_path);
}
