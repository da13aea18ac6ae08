/* SPDX-License-Identifier: MIT */
/*
 * mem.h - memory for our own records, and buffers that grow
 *
 * Straight from the kernel, never from malloc: we may be malloc.
 */
#ifndef HRESV_CORE_BASE_MEM_H
#define HRESV_CORE_BASE_MEM_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The base page, in bytes, as the kernel told it (AT_PAGESZ). */
size_t mem_page_bytes(void);

/* What getrlimit(2) says of @which, RLIMIT_AS say; UINT64_MAX: no limit, or nobody says. */
uint64_t mem_limit(int which);

/* Is there a mapping at @at, on a base page line? And a page in it? */
bool mem_is_mapped(uintptr_t at);
bool mem_is_present(uintptr_t at);
/* The same, but true when the kernel doesn't say: then there may be something to lose. */
bool mem_may_be_present(uintptr_t at);

/* Is the mapping that begins at @at made of huge pages? The kernel is asked; nothing changes. */
bool mem_is_hugetlb(uintptr_t at);

/* Does all of it, readable and on lines of 64 bytes, read zero? Looks no further than needed. */
bool mem_is_zero(uintptr_t at, size_t bytes);

/* Zeroed private pages, left out of core dumps; NULL when the kernel has none. */
void *mem_pages(size_t bytes);
void mem_pages_free(void *at, size_t bytes);

/* Unmaps the few pages that are kept for the next buffer. */
void mem_drop_spare(void);

/*
 * A buffer that grows. { 0 } is an empty one. @at always has room for a zero
 * byte behind @bytes once anything was added. Not safe for several threads.
 */
struct blob {
	char *at;
	size_t bytes;
	size_t room;
};

/* Makes room for @more bytes behind the present ones: 0 or -ENOMEM. */
int blob_reserve(struct blob *b, size_t more);
int blob_add(struct blob *b, const void *from, size_t bytes);
int blob_text(struct blob *b, const char *zero_terminated);
int blob_u64(struct blob *b, uint64_t value);	/* in decimal */
/* Forgets what lies behind the first @bytes, and keeps the memory. */
void blob_cut(struct blob *b, size_t bytes);
void blob_free(struct blob *b);

/*
 * Reads all of a file into an empty @ret_blob, however long it is and however
 * the kernel cuts it up; a zero byte follows the content. The caller frees it.
 * On failure @ret_blob stays empty. -errno of open(2) or read(2), -ENOMEM.
 */
int blob_read_file(const char *path, struct blob *ret_blob);

/*
 * The same into a blob that may hold something already: its content is lost,
 * its memory is used again. On failure the blob is empty and still to be freed.
 */
int blob_read_again(const char *path, struct blob *b);

/* The same for the path made of @root and @path: tests hand in a directory. */
int blob_read_under(const char *root, const char *path, struct blob *ret_blob);

/*
 * The text of a symbolic link, however long, with a zero byte behind it.
 * -errno of readlink(2), -ENOMEM; @ret_blob stays empty then.
 */
int blob_read_link(const char *path, struct blob *ret_blob);

#endif
