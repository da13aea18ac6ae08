/* SPDX-License-Identifier: MIT */
/*
 * page.h - the statistics page of another process (core/act/stats.h)
 *
 * Found by its note in the program or in a library of ours, and copied out of
 * /proc/PID/mem: the process is neither stopped nor asked, and who may not trace it
 * may not read it. It may lie, die, or be in the middle of writing: nothing in the
 * copy is believed before it has been looked at.
 */
#ifndef HRESV_TOOLS_PAGE_H
#define HRESV_TOOLS_PAGE_H

#include <stdint.h>
#include <sys/types.h>

#include "core/act/stats.h"

/**
 * page_find - where @pid has its page
 *
 * Return: 0 and *ret_at; -ENXIO: it has none, libhresv is not in it; -EACCES, -EPERM:
 * we may not read its memory; -ENOENT, -ESRCH: it is gone.
 */
int page_find(pid_t pid, uint64_t *ret_at);

/**
 * page_read - a copy of the page at @at
 *
 * In it records are whole or have number 0, texts end, and enums are in range.
 * .pid is 0 where nothing has been asked for yet.
 * Return: 0; -ENXIO: no page there (any more); -EPROTO: of another version; others
 * as page_find.
 */
int page_read(pid_t pid, uint64_t at, struct stats_page *ret_page);

/* Where a page came from something else than memory: the same checks. 0, -ENXIO, -EPROTO. */
int page_check(struct stats_page *page);

/*
 * The page map: @each for every run of granules of the process' that are ours,
 * ascending; the word is a page_word. 0 or -errno.
 */
int page_walk_map(pid_t pid, const struct stats_page *page,
		  void (*each)(uint64_t lo, uint64_t hi, uint32_t word, void *arg), void *arg);

#endif
