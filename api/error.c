/* SPDX-License-Identifier: MIT */
/* error.c - reasons, errors, and words for them */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "api/edge.h"
#include "core/base/out.h"
#include "core/limit.h"
#include "core/plan.h"
#include "core/reserve.h"

#define SHORT_BASE 4096

static const struct {
	enum hresv_reason its;
	const char *words;
} known[REASON_N] = {
	[REASON_NONE] = { HRESV_HUGE, "it is huge" },
	[REASON_TOO_SMALL] = { HRESV_TOO_SMALL, "less than a huge page" },
	[REASON_NOT_WRITABLE] = { HRESV_NOT_WRITABLE, "not writable memory" },
	[REASON_NORESERVE] = { HRESV_NORESERVE, "asked for without a reservation" },
	[REASON_STACK] = { HRESV_STACK, "a stack" },
	[REASON_FIXED] = { HRESV_FIXED, "at a fixed address" },
	[REASON_FILTERED] = { HRESV_FILTERED,
			      "libhresv is off here (HUGETLB_RESTRICT_EXE, or set-user-ID)" },
	[REASON_BUDGET] = { HRESV_OWN_LIMIT,
			    "the process' own limit (HUGETLB_LIMIT or HUGETLB_KEEP_FREE)" },
	[REASON_POOL_SHORT] = { HRESV_POOL, "the pool has too few free pages" },
	[REASON_OVERCOMMIT] = { HRESV_OVERCOMMIT,
				"the pool has too few free pages, surplus pages included" },
	[REASON_NODE_SHORT] = { HRESV_NODE, "the allowed NUMA nodes have too few free pages" },
	[REASON_CGROUP_FAULT] = { HRESV_CGROUP_FAULT, "a control group's hugetlb limit" },
	[REASON_CGROUP_RSVD] = { HRESV_CGROUP_RSVD, "a control group's hugetlb reservation limit" },
	[REASON_MEMCG] = { HRESV_MEMCG, "huge pages are charged to a memory limit here" },
	[REASON_MOUNT_QUOTA] = { HRESV_MOUNT, "the quota of the hugetlbfs mount" },
	[REASON_EPERM] = { HRESV_EPERM, "huge segments are not permitted" },
	[REASON_MEMLOCK] = { HRESV_MEMLOCK, "RLIMIT_MEMLOCK" },
	[REASON_ALIGNMENT] = { HRESV_ALIGNMENT, "the tail behind the last whole huge page" },
	[REASON_NOT_YET] = { HRESV_NOT_YET, "beyond HUGETLB_EAGER_MAX, small until it is touched" },
	[REASON_NO_MEMORY] = { HRESV_NO_MEMORY, "no address space, mappings or records are left" },
	[REASON_DEMOTED_MUNMAP] = { HRESV_DEMOTED_MUNMAP, "split by munmap" },
	[REASON_DEMOTED_MPROTECT] = { HRESV_DEMOTED_MPROTECT, "split by mprotect" },
	[REASON_DEMOTED_MADVISE] = { HRESV_DEMOTED_MADVISE, "split by madvise" },
	[REASON_DEMOTED_MREMAP] = { HRESV_DEMOTED_MREMAP, "split by mremap" },
	[REASON_FORK] = { HRESV_FORK, "made small for a fork" },
	[REASON_RESCUE] = { HRESV_RESCUE, "made small when a write found no huge page" },
	[REASON_STATIC_OR_SETUID] = { HRESV_STATIC_OR_SETUID, "a static or set-user-ID program" },
	[REASON_SECCOMP] = { HRESV_SECCOMP, "the program filters its own system calls" },
};

enum hresv_reason edge_reason(enum reason why)
{
	if (why >= REASON_N || !known[why].words)
		return HRESV_OTHER;
	return known[why].its;
}

int edge_error(long core_error)
{
	if (core_error > -SHORT_BASE)
		return (int)core_error;
	return HRESV_SHORT(edge_reason((enum reason)(-core_error - SHORT_BASE)));
}

/* Back: REASON_N when core has no such reason. */
static enum reason core_reason(enum hresv_reason reason)
{
	for (int why = 0; why < REASON_N; why++)
		if (known[why].words && known[why].its == reason)
			return (enum reason)why;
	return REASON_N;
}

HRESV_API enum hresv_reason hresv_reason_of(int error)
{
	if (error > -SHORT_BASE)
		return HRESV_HUGE;
	return core_reason((enum hresv_reason)(-error - SHORT_BASE)) < REASON_N ?
		       (enum hresv_reason)(-error - SHORT_BASE) : HRESV_OTHER;
}

HRESV_API const char *hresv_reason_name(enum hresv_reason reason)
{
	enum reason why = core_reason(reason);

	return why < REASON_N ? reason_name(why) : "other";
}

HRESV_API const char *hresv_strerror(int error)
{
	enum reason why = REASON_N;
	const char *words = NULL;

	if (error == 0)
		return "no error";
	if (error > -SHORT_BASE && error < 0)
		words = strerrordesc_np(-error);
	else if (error <= -SHORT_BASE)
		why = core_reason((enum hresv_reason)(-error - SHORT_BASE));
	if (why < REASON_N)
		words = known[why].words;
	return words ? words : "unknown error";
}

static void say_numbers(struct line *l, const struct limit *limit)
{
	if (!limit->limit)
		return;
	line_text(l, ": ");
	line_u64(l, limit->used);
	line_text(l, " of ");
	line_u64(l, limit->limit);
	line_text(l, " bytes are used");
}

HRESV_API size_t hresv_explain(int error, size_t page_bytes, char *buf, size_t room)
{
	enum hresv_reason reason = hresv_reason_of(error);
	struct limit limit;
	struct line l;

	line_start(&l);
	line_text(&l, hresv_strerror(error));
	page_bytes = edge_page_bytes(page_bytes);
	if (reason != HRESV_HUGE && page_bytes &&
	    limit_read(page_bytes, LIMIT_ALL_NODES, &limit) == 0 &&
	    edge_reason(limit.binds) == reason) {
		if (*limit.where) {
			line_text(&l, " (");
			line_text(&l, limit.where);
			line_text(&l, ")");
		}
		say_numbers(&l, &limit);
	}
	if (buf && room) {
		size_t bytes = l.bytes < room ? l.bytes : room - 1;

		memcpy(buf, l.text, bytes);
		buf[bytes] = '\0';
	}
	return l.bytes;
}
