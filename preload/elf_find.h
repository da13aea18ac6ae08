/* SPDX-License-Identifier: MIT */
/* elf_find.h - what the loader has loaded, and the segments of it */
#ifndef HRESV_PRELOAD_ELF_FIND_H
#define HRESV_PRELOAD_ELF_FIND_H

#include <elf.h>
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/mem.h"

/* libhugetlbfs' mark in p_flags: this segment wants huge pages. */
#define PF_LINUX_HUGETLB 0x100000

struct elf_object {
	const char *name;	/* as the loader has it; "" is the program */
	uintptr_t base;
	const ElfW(Phdr) *phdr;
	size_t phdrs;
};

/* The program's own, without a look at anything but what the kernel handed over. */
bool elf_find_program(struct elf_object *ret);

/* Adds struct elf_object for everything loaded by now, the program first. -ENOMEM. */
int elf_find_all(struct blob *objects);

/* Does a loaded segment of it hold @at? */
bool elf_holds(const struct elf_object *o, uintptr_t at);

/* The program header's range in memory, on lines of base pages. */
uintptr_t elf_segment_lo(const struct elf_object *o, const ElfW(Phdr) *p);
uintptr_t elf_segment_hi(const struct elf_object *o, const ElfW(Phdr) *p);

#endif
