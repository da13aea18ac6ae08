/* SPDX-License-Identifier: MIT */
/* memory.h - what memory is made of, and what is in it */
#ifndef HRESV_TESTS_HARNESS_MEMORY_H
#define HRESV_TESTS_HARNESS_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of [at, at + bytes) that lie in mappings of huge pages (smaps: KernelPageSize). */
size_t huge_in(const void *at, size_t bytes);
/* The same, of pages of this size alone. */
size_t pages_in(const void *at, size_t bytes, size_t page_bytes);
/* Bytes of the range that are mapped at all. */
size_t mapped_in(const void *at, size_t bytes);

/* Writes into every small page what depends on its place and @seed. */
void fill_pages(void *at, size_t bytes, unsigned seed);
/* Is it still there? Prints the first place where it isn't. */
bool holds_pages(const void *at, size_t bytes, unsigned seed);
bool is_zero(const void *at, size_t bytes);

#endif
