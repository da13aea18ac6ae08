/* SPDX-License-Identifier: MIT */
/* image_thp.h - text on transparent huge pages, where the pool has none */
#ifndef HRESV_CORE_IMAGE_THP_H
#define HRESV_CORE_IMAGE_THP_H

#include <stddef.h>
#include <stdint.h>

#include "core/image_pages.h"

/**
 * image_thp - the run @r of text, as far as the kernel has transparent huge pages now
 *
 * First the file's own pages, collapsed in the page cache, which keep their name and
 * are everybody's (tmpfs; other file systems with CONFIG_READ_ONLY_THP_FOR_FS, Linux
 * 6.1). Else a private copy, kept only where it is huge at once. Claimed, words
 * PAGE_SMALL: they stay so for what was copied, and become 0 for the rest.
 * Returns the bytes that are huge.
 */
size_t image_thp(const struct image_map *m, const struct image_run *r, enum use use);

#endif
