/* SPDX-License-Identifier: MIT */
/* mount.h - hugetlbfs mounts, made for one test and gone after it */
#ifndef HRESV_TESTS_HARNESS_MOUNT_H
#define HRESV_TESTS_HARNESS_MOUNT_H

#include <stddef.h>

/*
 * Mount hugetlbfs with pages of @page_bytes and more options ("size=4M,min_size=2M",
 * or NULL). Its path, for the caller to copy if it makes another. Takes the pool's
 * lock; skips the test without the privilege, or the pages a min_size needs.
 */
const char *mount_hugetlbfs(size_t page_bytes, const char *options);

#endif
