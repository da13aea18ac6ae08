/* SPDX-License-Identifier: MIT */
/* elf_remap.h - the program's text and data on huge pages, as HUGETLB_ELFMAP wants it */
#ifndef HRESV_PRELOAD_ELF_REMAP_H
#define HRESV_PRELOAD_ELF_REMAP_H

#include "core/facts/conf.h"

/*
 * Once, by the first constructor: everything is relocated and RELRO is read-only by
 * then, and usually no other thread exists. A program that neither asks for it nor is
 * marked pays for a look at its program headers.
 */
void elf_remap_start(const struct conf *conf);

#endif
