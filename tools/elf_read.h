/* SPDX-License-Identifier: MIT */
/*
 * elf_read.h - what an executable or a library says of itself, for `hresv elf`
 *
 * Files come from anywhere: every offset and size is looked at before it is used, and
 * what doesn't fit is damage that is said, never followed.
 */
#ifndef HRESV_TOOLS_ELF_READ_H
#define HRESV_TOOLS_ELF_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* libhugetlbfs' mark in p_flags. */
#define ELF_MARK 0x100000u

/* Huge pages a segment can have: the number depends on where the kernel puts the file. */
struct elf_pages {
	uint64_t least, most;
};

struct elf_segment {
	unsigned index;			/* of its program header */
	uint64_t offset, vaddr, file_bytes, memory_bytes, align;
	uint32_t flags;
	uint64_t flags_at;		/* where p_flags lies in the file */
	uint64_t relro_bytes;		/* read-only after relocation, in it */
	struct elf_pages now;		/* HUGETLB_ELFMAP=RW */
	struct elf_pages forced;	/* and HUGETLB_FORCE_ELFMAP=yes */
	uint64_t relinked;		/* with hresv-align */
};

struct elf_facts {
	char kind[16];			/* program, library, object, core */
	bool is_64, big_endian, pie, fixed;	/* fixed: linked to an address */
	unsigned machine;
	char *interpreter;		/* NULL: no loader */
	char **needed;
	size_t needed_n;
	char *build_id;			/* in hexadecimal, NULL: none */
	bool dynamic, executable_stack, relro, text_relocations, go;
	bool setuid, setgid, capabilities;	/* of the file */
	const char *allocator;		/* its own, linked in; NULL: none seen */
	struct elf_segment *segments;	/* PT_LOAD */
	size_t segments_n;
	mode_t mode;
	uint64_t file_bytes;
};

/**
 * elf_read - reads @path, with huge pages of @page_bytes in mind
 * @ret_what: on failure, what is wrong, in static memory or strerror()'s
 *
 * Return: 0, and elf_free() what came; -1.
 */
int elf_read(const char *path, uint64_t page_bytes, struct elf_facts *ret_facts,
	     const char **ret_what);
void elf_free(struct elf_facts *facts);

#endif
