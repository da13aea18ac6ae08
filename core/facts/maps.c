/* SPDX-License-Identifier: MIT */
/* maps.c - /proc/self/maps, line by line */
#include "core/facts/maps.h"

#include <errno.h>
#include <sys/mman.h>

#include "core/base/mem.h"
#include "core/base/text.h"

struct mapping {
	uintptr_t lo, hi;
	struct map_facts facts;
};

static int parse_hex(struct span s, uintptr_t *ret_value)
{
	uintptr_t value = 0;

	if (s.bytes == 0 || s.bytes > 16)
		return -EBADMSG;
	for (size_t i = 0; i < s.bytes; i++) {
		char c = s.at[i];

		if (c >= '0' && c <= '9')
			value = value << 4 | (uintptr_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			value = value << 4 | (uintptr_t)(c - 'a' + 10);
		else
			return -EBADMSG;
	}
	*ret_value = value;
	return 0;
}

static bool is_huge_name(struct span name)
{
	return span_starts(name, "/anon_hugepage");
}

/* "lo-hi rwxp offset dev inode name" (proc_pid_maps(5)). */
static int parse_line(struct span line, struct mapping *ret)
{
	struct span range, perms, skip, lo, name = { 0 };
	struct mapping m = { 0 };

	if (!span_next_word(&line, &range) || !span_next_word(&line, &perms) || perms.bytes < 4 ||
	    !span_next_field(&range, '-', &lo) || parse_hex(lo, &m.lo) || parse_hex(range, &m.hi))
		return -EBADMSG;
	m.facts.prot = (perms.at[0] == 'r' ? PROT_READ : 0) | (perms.at[1] == 'w' ? PROT_WRITE : 0) |
		       (perms.at[2] == 'x' ? PROT_EXEC : 0);
	m.facts.shared = perms.at[3] == 's';
	for (int i = 0; i < 3; i++)
		span_next_word(&line, &skip);
	name = span_trim(line);
	m.facts.huge = is_huge_name(name);
	m.facts.anonymous = name.bytes == 0 || name.at[0] == '[' || m.facts.huge ||
			    span_starts(name, "/dev/zero");
	*ret = m;
	return 0;
}

static int join(struct map_facts *all, const struct map_facts *more, bool first)
{
	if (first) {
		*all = *more;
		return 0;
	}
	if (all->prot != more->prot || all->shared != more->shared)
		return -EFAULT;
	all->anonymous = all->anonymous && more->anonymous;
	all->huge = all->huge || more->huge;
	return 0;
}

int maps_read_range(const char *root, uintptr_t lo, uintptr_t hi, struct map_facts *ret_facts)
{
	struct map_facts all = { 0 };
	struct blob text = { 0 };
	struct span rest, line;
	struct mapping m;
	uintptr_t at = lo;
	int err = blob_read_under(root, "/proc/self/maps", &text);

	if (err)
		return err;
	rest = (struct span){ text.at, text.bytes };
	while (!err && at < hi && span_next_line(&rest, &line)) {
		if (parse_line(line, &m) != 0 || m.hi <= at)
			continue;
		err = m.lo > at ? -EFAULT : join(&all, &m.facts, at == lo);
		at = m.hi;
	}
	blob_free(&text);
	if (err)
		return err;
	if (at < hi)
		return -EFAULT;
	*ret_facts = all;
	return 0;
}

int maps_room(const char *root, uint64_t *ret_limit, uint64_t *ret_used)
{
	struct blob text = { 0 };
	uint64_t limit, used = 0;
	int err = blob_read_under(root, "/proc/sys/vm/max_map_count", &text);

	if (err)
		return err;
	err = text_u64((struct span){ text.at, text.bytes }, &limit);
	blob_free(&text);
	if (!err)
		err = blob_read_under(root, "/proc/self/maps", &text);
	if (err)
		return err;
	for (size_t i = 0; i < text.bytes; i++)
		used += text.at[i] == '\n';
	blob_free(&text);
	*ret_limit = limit;
	*ret_used = used;
	return 0;
}

int maps_read_end(const char *root, uintptr_t at, uintptr_t *ret_end)
{
	struct blob text = { 0 };
	struct span rest, line;
	struct mapping m;
	int err = blob_read_under(root, "/proc/self/maps", &text);

	if (err)
		return err;
	err = -EFAULT;
	rest = (struct span){ text.at, text.bytes };
	while (err && span_next_line(&rest, &line)) {
		if (parse_line(line, &m) != 0 || m.hi <= at)
			continue;
		if (m.lo > at)
			break;
		*ret_end = m.hi;
		err = 0;
	}
	blob_free(&text);
	return err;
}
