/* SPDX-License-Identifier: MIT */
/*
 * compat.h - libhugetlbfs' interface, as programs linked to libhugetlbfs.so.0 know it
 *
 * Prototypes and numbers only; what each function does is said where it is defined. Errors are
 * libhugetlbfs': -1 or NULL, and errno.
 */
#ifndef HRESV_COMPAT_COMPAT_H
#define HRESV_COMPAT_COMPAT_H

#include <stddef.h>

#define COMPAT_API __attribute__((visibility("default")))

/* ghp_t and ghr_t. */
#define GHP_DEFAULT 0x01ul
#define GHR_STRICT 0x10000000ul
#define GHR_FALLBACK 0x20000000ul
#define GHR_COLOR 0x40000000ul
#define GHR_DEFAULT (GHR_FALLBACK | GHR_COLOR)

COMPAT_API long gethugepagesize(void);
COMPAT_API int gethugepagesizes(long pagesizes[], int n_elem);
COMPAT_API int getpagesizes(long pagesizes[], int n_elem);
COMPAT_API int hugetlbfs_test_path(const char *mount);
COMPAT_API const char *hugetlbfs_find_path(void);
COMPAT_API const char *hugetlbfs_find_path_for_size(long page_size);
COMPAT_API int hugetlbfs_unlinked_fd(void);
COMPAT_API int hugetlbfs_unlinked_fd_for_size(long page_size);
COMPAT_API void *get_huge_pages(size_t len, unsigned long flags);
COMPAT_API void free_huge_pages(void *ptr);
COMPAT_API void *get_hugepage_region(size_t len, unsigned long flags);
COMPAT_API void free_hugepage_region(void *ptr);

/* For libhugetlbfs' tests: looks at /proc/meminfo again. */
COMPAT_API void __tp_kernel_default_hugepage_size_reset(void);

struct blob;

/*
 * A file, read whole. By libc's open(2), which programs may have interposed to show
 * another /proc; 0 or -errno. The caller frees it.
 */
int compat_read_file(const char *path, struct blob *ret_blob);

#endif
