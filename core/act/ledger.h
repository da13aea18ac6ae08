/* SPDX-License-Identifier: MIT */
/*
 * ledger.h - free pages that a running child is counted on to need
 *
 * After a plain fork every page that parent and child share needs a second one
 * when either writes. What was free for that at the fork must stay free while
 * the child runs. The kernel keeps no such account; libhresv's processes do, and
 * leave promised pages alone.
 *
 * A promise is a read lock (OFD) on as many bytes of the pool's own file in
 * /sys as pages are promised. The kernel drops it with the last descriptor: when
 * the child exits, execs or is killed, whatever kills it, and no record is left
 * behind. Any process that sees the same /sys can add them up.
 */
#ifndef HRESV_CORE_ACT_LEDGER_H
#define HRESV_CORE_ACT_LEDGER_H

#include <stddef.h>
#include <stdint.h>

/**
 * ledger_promise - promises @pages, if @spare_pages cover them and all older promises
 *
 * Fork's: the caller has the turn to itself (turn.h). *ret_fd is inherited by
 * the child and closed in the parent; it is close-on-exec, and far above the
 * numbers programs expect to get.
 *
 * Return: 0; -ENOSPC: not enough; -errno: no ledger here.
 */
int ledger_promise(size_t page_bytes, uint64_t pages, uint64_t spare_pages, int *ret_fd);

/* All promises of one pool, in pages; 0 also where there is no ledger. */
uint64_t ledger_promised(size_t page_bytes);

/* The same, for who has the pool's file open (a turn). */
uint64_t ledger_promised_at(int fd);

/* How many of @want pages may be taken from the pool without touching promised ones. */
size_t ledger_leaves(int fd, size_t page_bytes, size_t want);

#endif
