/* SPDX-License-Identifier: MIT */
/*
 * eligible.h - is this request one we reroute? Pure: no I/O, no state.
 */
#ifndef HRESV_CORE_DECIDE_ELIGIBLE_H
#define HRESV_CORE_DECIDE_ELIGIBLE_H

#include "core/decide/request.h"
#include "core/facts/conf.h"

enum verdict {
	VERDICT_PASS,		/* as the program asked; *ret_why says why */
	VERDICT_REROUTE,	/* anonymous memory that may become huge */
	VERDICT_GUARD,		/* the program's own huge request: prove it */
};

/*
 * @page_bytes is the huge page size this use would get. A file mapping passes
 * here: whether its file lies on hugetlbfs takes a system call, which is the
 * edge's business.
 */
enum verdict eligible(const struct request *rq, const struct conf *conf, size_t page_bytes,
		      enum reason *ret_why);

/* The huge page size in the flags of MAP_HUGETLB or SHM_HUGETLB; 0: the default. */
size_t eligible_flag_size(int flags);

#endif
