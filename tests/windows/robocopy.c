/* wine 8's robocopy does nothing. This one does what tufup's client asks of it: `SOURCE TARGET /e
   /move …` moves all files below SOURCE to TARGET, over those that are there. */
#include <stdio.h>
#include <string.h>
#include <windows.h>

static int moved, failed;

static void move_all(const wchar_t *from, const wchar_t *to) {
  wchar_t pattern[4096], source[4096], target[4096];
  WIN32_FIND_DATAW entry;
  swprintf(pattern, 4096, L"%ls\\*", from);
  CreateDirectoryW(to, NULL);
  HANDLE found = FindFirstFileW(pattern, &entry);
  if (found == INVALID_HANDLE_VALUE) return;
  do {
    if (!wcscmp(entry.cFileName, L".") || !wcscmp(entry.cFileName, L"..")) continue;
    swprintf(source, 4096, L"%ls\\%ls", from, entry.cFileName);
    swprintf(target, 4096, L"%ls\\%ls", to, entry.cFileName);
    if (entry.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) {
      move_all(source, target);
    } else if (CopyFileW(source, target, FALSE) && DeleteFileW(source)) {
      printf("moved %ls\n", target);
      moved++;
    } else {
      printf("cannot move %ls: %lu\n", source, GetLastError());
      failed++;
    }
  } while (FindNextFileW(found, &entry));
  FindClose(found);
  RemoveDirectoryW(from);
}

int wmain(int argc, wchar_t **argv) {
  if (argc < 5 || wcscmp(argv[3], L"/e") || wcscmp(argv[4], L"/move")) {
    puts("unexpected arguments");
    return 16;
  }
  move_all(argv[1], argv[2]);
  /* As the real one: 1 if something was copied, 8 if something could not be. */
  return failed ? 8 : moved > 0;
}
