/* A library that somebody planted under another's name: tells which program loaded it, in the
   file that PLANTED_REPORT names. */
#include <stdio.h>
#include <stdlib.h>
#include <windows.h>

BOOL WINAPI DllMain(HINSTANCE self, DWORD reason, LPVOID reserved) {
  const wchar_t *report = _wgetenv(L"PLANTED_REPORT");
  (void)reserved;
  if (reason == DLL_PROCESS_ATTACH && report) {
    wchar_t name[MAX_PATH] = L"", program[MAX_PATH] = L"";
    GetModuleFileNameW(self, name, MAX_PATH);
    GetModuleFileNameW(NULL, program, MAX_PATH);
    FILE *file = _wfopen(report, L"a");
    if (file) {
      fprintf(file, "%ls in %ls\n", name, program);
      fclose(file);
    }
  }
  return TRUE;
}
