/* SPDX-License-Identifier: MIT */
/*
 * settle.h - the last step before an address is returned: the page map knows what lies there
 */
#ifndef HRESV_CORE_SETTLE_H
#define HRESV_CORE_SETTLE_H

#include "core/act/place.h"

/* Publishes what was placed for @rq. 0; -ENOMEM: nothing was. */
int settle_publish(const struct request *rq, const struct placed *p);

/* [lo, hi) is small: its whole granules may become huge later. */
void settle_small(const struct request *rq, uintptr_t lo, uintptr_t hi);

/* HUGETLB_FALLBACK=thp: advises what is not of the pool. */
void settle_advise(const struct placed *p);

#endif
