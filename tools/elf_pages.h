/* SPDX-License-Identifier: MIT */
/* elf_pages.h - how many huge pages each segment could have (elf_read.h) */
#ifndef HRESV_TOOLS_ELF_PAGES_H
#define HRESV_TOOLS_ELF_PAGES_H

#include "tools/elf_read.h"

/* Fills now, forced and relinked of all segments. */
void elf_pages_count(struct elf_facts *facts, uint64_t page_bytes);

#endif
