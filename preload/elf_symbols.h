/* SPDX-License-Identifier: MIT */
/* elf_symbols.h - /tmp/perf-PID.map: names for text that has no file any more */
#ifndef HRESV_PRELOAD_ELF_SYMBOLS_H
#define HRESV_PRELOAD_ELF_SYMBOLS_H

#include "preload/elf_find.h"

/* The map of this process, to be filled: a descriptor; -errno, and it has been said. */
int elf_symbols_open(void);

/* Adds the functions of @o, read from its file: .symtab, or else .dynsym. */
void elf_symbols_add(int fd, const struct elf_object *o);

#endif
