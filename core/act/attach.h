/* SPDX-License-Identifier: MIT */
/*
 * attach.h - which huge segments are attached here, and which we made
 */
#ifndef HRESV_CORE_ACT_ATTACH_H
#define HRESV_CORE_ACT_ATTACH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/mem.h"

/* Publishes [at, at + bytes) when it turns out to be huge. */
void attach_note(uintptr_t at, size_t bytes, int prot);

/* Is anything attached, as far as we know? What is not, shmdt() need not tell us of. */
bool attach_any(void);

/* What attach_forget() took back, for a shmdt() that failed. */
struct attach_was {
	struct attachment {
		uintptr_t at;
		size_t bytes;		/* in whole pages; 0: it was not known */
		uint64_t age;
	} attachment;
	struct blob words;
};

/* Before shmdt() of @at; after it attach_forgotten(), or attach_restore() when it failed. */
void attach_forget(uintptr_t at, struct attach_was *ret_was);
void attach_forgotten(struct attach_was *was);
void attach_restore(struct attach_was *was);

/* mremap() has moved some of it: the list knows the old place only. */
void attach_note_moved(void);

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
