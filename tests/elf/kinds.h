/* SPDX-License-Identifier: MIT */
/* kinds.h - what the library of kinds.c offers it */
#ifndef HRESV_TESTS_ELF_KINDS_H
#define HRESV_TESTS_ELF_KINDS_H

#define LIBRARY_WORDS 4096

/* The program's copies of these, where it has copy relocations. */
extern int library_data[LIBRARY_WORDS];
extern int library_zero[LIBRARY_WORDS];
extern const int library_constant[LIBRARY_WORDS];
extern __thread int library_tls;

int library_sum(int seed);
void *library_text(void);
void *library_bss(void);

#endif
