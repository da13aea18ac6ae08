/* SPDX-License-Identifier: MIT */
/*
 * attach.h - which huge segments are attached here, and which we made
 */
#ifndef HRESV_CORE_ACT_ATTACH_H
#define HRESV_CORE_ACT_ATTACH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Publishes [at, at + bytes) when it turns out to be huge. */
void attach_note(uintptr_t at, size_t bytes, int prot);

/* What attach_forget() took back, for a shmdt() that failed. */
struct attach_was {
	bool known;
	uintptr_t at;
	size_t bytes;		/* in whole pages */
	size_t page_bytes;
	int prot;
};

void attach_forget(uintptr_t at, struct attach_was *ret_was);
void attach_restore(const struct attach_was *was);

/* Segments this process made, for HUGETLB_LIMIT; removing one gives it back. */
void attach_note_made(int id, size_t bytes);
void attach_note_removed(int id);
/* The same for those that another process has removed; asks the kernel, seldom. */
void attach_review(void);

/* In a fork child. */
void attach_renew(void);
/* fork: nobody is half way through a change. */
void attach_freeze(void);
void attach_thaw(void);

#endif
