/* Programs that open files in an ordinary way, or remove names of them, again and again. */
#include <stdio.h>
#include <string.h>
#include <windows.h>

#define ROOM 4096

static unsigned opened, refused, removed;

static void look(const wchar_t *path) {
  /* As the C library, and with it Python, opens a file to read it. */
  HANDLE file = CreateFileW(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL);
  if (file == INVALID_HANDLE_VALUE) {
    refused++;
    return;
  }
  CloseHandle(file);
  opened++;
}

static const wchar_t *scratch;

/* As any removal, but it lasts a millisecond. */
static void link_and_remove(const wchar_t *path) {
  const DWORD share = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
  if (!CreateHardLinkW(scratch, path, NULL)) return;
  HANDLE file = CreateFileW(scratch, DELETE, share, NULL, OPEN_EXISTING, FILE_FLAG_DELETE_ON_CLOSE, NULL);
  if (file == INVALID_HANDLE_VALUE) {
    DeleteFileW(scratch);
    return;
  }
  Sleep(1);
  CloseHandle(file);
  removed++;
}

static void each(const wchar_t *folder, void (*what)(const wchar_t *)) {
  wchar_t path[ROOM];
  WIN32_FIND_DATAW entry;
  swprintf(path, ROOM, L"%ls\\*", folder);
  HANDLE found = FindFirstFileW(path, &entry);
  if (found == INVALID_HANDLE_VALUE) return;
  do {
    if (!wcscmp(entry.cFileName, L".") || !wcscmp(entry.cFileName, L"..")) continue;
    swprintf(path, ROOM, L"%ls\\%ls", folder, entry.cFileName);
    if (entry.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY)
      each(path, what);
    else
      what(path);
  } while (FindNextFileW(found, &entry));
  FindClose(found);
}

/* open FOLDER STOP: opens every file of a folder until STOP exists, and says how often that
     succeeded and was refused.
   remove FOLDER STOP SCRATCH: gives each of them the name SCRATCH for a moment. */
int wmain(int argc, wchar_t **argv) {
  if (argc < 4) return 1;
  BOOL opens = !wcscmp(argv[1], L"open");
  scratch = argc > 4 ? argv[4] : NULL;
  puts("ready");
  fflush(stdout);
  while (GetFileAttributesW(argv[3]) == INVALID_FILE_ATTRIBUTES) each(argv[2], opens ? look : link_and_remove);
  if (opens)
    printf("opened %u refused %u\n", opened, refused);
  else
    printf("removed %u\n", removed);
  return 0;
}
