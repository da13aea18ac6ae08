/* SPDX-License-Identifier: MIT */
/*
 * ledger.h - an account of pages promised to running processes, kept by the kernel
 *
 * A promise is a read lock (OFD) on as many bytes of a file as pages are promised:
 * the pool's own file in /sys, or the file that says how much of a group's limit is
 * used (promise.h). The kernel drops it with the last descriptor: when its holder
 * exits, execs or is killed, whatever kills it, and no record is left behind. Any
 * process that sees the same file can add them up.
 */
#ifndef HRESV_CORE_ACT_LEDGER_H
#define HRESV_CORE_ACT_LEDGER_H

#include <stddef.h>
#include <stdint.h>

/**
 * ledger_promise - promises @pages, if @spare_pages cover them and all older promises
 * @fd: of the account's file, open for reading; it holds the promise afterwards
 *
 * The caller has the pool's turn to itself (turn.h).
 *
 * Return: 0; -ENOSPC: not enough; -errno: no account can be kept here.
 */
int ledger_promise(int fd, uint64_t pages, uint64_t spare_pages);

/* All promises of one account, in pages; 0 also where there is none (@fd -1). */
uint64_t ledger_promised(int fd);

#endif
