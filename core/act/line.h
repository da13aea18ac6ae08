/* SPDX-License-Identifier: MIT */
/*
 * line.h - addresses at which processes share page tables
 *
 * What several processes map of one file of huge pages, the kernel maps by one page table for all
 * of them, where that table is full: 1 GiB of addresses on x86-64 and on aarch64 with pages of
 * 4 KiB, from a line of 1 GiB on. It does not choose such addresses by itself (KERNEL.md 9).
 */
#ifndef HRESV_CORE_ACT_LINE_H
#define HRESV_CORE_ACT_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* May the address of a mapping that is asked for so be chosen freely? */
bool line_may_choose(uintptr_t at, int flags);

/*
 * A free place on a line for a shared mapping of @bytes that begins at @offset of its file, as a hint:
 * it may be taken a moment later. 0: it has no whole table, no line would help it, or no
 * room is to be had.
 */
uintptr_t line_for(size_t bytes, uint64_t offset);

#endif
