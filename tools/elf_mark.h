/* SPDX-License-Identifier: MIT */
/* elf_mark.h - libhugetlbfs' mark in program headers, set and taken away */
#ifndef HRESV_TOOLS_ELF_MARK_H
#define HRESV_TOOLS_ELF_MARK_H

#include <stdbool.h>
#include <stdint.h>

struct elf_marking {
	bool set;		/* else: taken away, of all segments */
	bool text, data;	/* which segments: those not writable, those that are */
	uint64_t page_bytes;
};

/**
 * elf_mark - writes a copy beside the file, marks that, and puts it in its place
 *
 * But for the flags the copy is the file, byte for byte, with its owner, mode and
 * extended attributes. A link is followed. A file with several names is refused: the
 * others would keep the old one. Nothing changes when nothing has to.
 *
 * Return: how many segments changed; -1 and *ret_what: why the file is as it was.
 */
int elf_mark(const char *path, const struct elf_marking *how, const char **ret_what);

#endif
