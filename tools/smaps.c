/* SPDX-License-Identifier: MIT */
/* smaps.c - see smaps.h */
#include "tools/smaps.h"


/* "lo-hi rwxp offset dev inode   name" */
static bool parse_head(struct span line, struct vma *ret)
{
	struct span range, perms, offset, lo, skip;
	struct vma v = { 0 };

	if (!span_next_word(&line, &range) || !span_next_word(&line, &perms) ||
	    !span_next_word(&line, &offset) || perms.bytes != 4)
		return false;
	if (!span_next_field(&range, '-', &lo) || text_hex(lo, &v.lo) || text_hex(range, &v.hi) ||
	    v.lo >= v.hi || text_hex(offset, &v.offset))
		return false;
	v.readable = perms.at[0] == 'r';
	v.writable = perms.at[1] == 'w';
	v.executable = perms.at[2] == 'x';
	v.shared = perms.at[3] == 's';
	span_next_word(&line, &skip);
	span_next_word(&line, &skip);
	v.name = span_trim(line);
	*ret = v;
	return true;
}

static void parse_flags(struct span flags, struct vma *v)
{
	struct span word;

	while (span_next_word(&flags, &word)) {
		v->hugetlb |= span_equal(word, "ht");
		v->unreserved |= span_equal(word, "nr");
	}
}

/* A detail is "Name: number kB"; a head has no colon before its first blank. */
static bool is_detail(struct span line)
{
	for (size_t i = 0; i < line.bytes && line.at[i] != ' '; i++)
		if (line.at[i] == ':')
			return true;
	return false;
}

static void parse_detail(struct span line, struct vma *v)
{
	const struct { const char *name; uint64_t *to; } numbers[] = {
		{ "KernelPageSize:", &v->page_bytes },
		{ "Rss:", &v->rss },
		{ "AnonHugePages:", &v->thp },
		{ "Private_Hugetlb:", &v->private_huge },
		{ "Shared_Hugetlb:", &v->shared_huge },
	};
	struct span name, rest = line, value;
	uint64_t kib;

	if (span_starts(line, "VmFlags:")) {
		rest.at += 8;
		rest.bytes -= 8;
		parse_flags(rest, v);
		return;
	}
	if (!span_next_word(&rest, &name) || !span_next_word(&rest, &value) ||
	    text_u64(value, &kib) != 0 || kib > UINT64_MAX / 1024)
		return;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (span_equal(name, numbers[i].name))
			*numbers[i].to = kib * 1024;
}

bool smaps_next(struct span *rest, struct vma *ret_vma)
{
	struct span line, after;
	bool found = false;
	struct vma v;

	while (!found && span_next_line(rest, &line))
		found = !is_detail(line) && parse_head(line, &v);
	if (!found)
		return false;
	for (after = *rest; span_next_line(&after, &line) && is_detail(line); *rest = after)
		parse_detail(line, &v);
	/* More pages than the mapping has room for: a hostile or broken /proc. */
	if (v.private_huge > v.hi - v.lo)
		v.private_huge = v.hi - v.lo;
	if (v.shared_huge > v.hi - v.lo - v.private_huge)
		v.shared_huge = v.hi - v.lo - v.private_huge;
	*ret_vma = v;
	return true;
}
